"""One patient and several CTs: a package of the patient's own."""

from autocontour.course.adapt import Adaptation, adapt_package

__all__ = ["Adaptation", "adapt_package"]
