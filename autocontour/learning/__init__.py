"""Learning from approved cases without anybody watching: collecting, retraining, the gate. It never promotes."""
