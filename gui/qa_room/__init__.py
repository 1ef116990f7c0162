"""The QA room: results of commissioning studies and of routine QA in the viewer."""
