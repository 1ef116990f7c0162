"""What every room stands on: errors, findings, jobs, files."""
