"""Export profiles: the limits of planning systems, as data that a physicist can edit, and the check before export."""

from autocontour.site.preflight import WHOLE_SET, ExportProblem, check_export
from autocontour.site.profile import Profile, Rule, list_profiles, read_profile

__all__ = ["WHOLE_SET", "ExportProblem", "Profile", "Rule", "check_export", "list_profiles", "read_profile"]
