"""One patient and several CTs: a course from the planning CT through later ones, and a package of the patient's own.

The functions for a viewer or a script::

    course = read_course(folder)                      # Course.planning, Course.dates: CTs in order of time
    contour_course(course, Options(), job)            # what is not done yet
    ct, contours = read_planning(course, job)
    ct, chosen, by_method = read_date(course, course.dates[0], job)
    rigid = read_rigid(course, course.dates[0])       # rigid.pull(points of the date) → points of the planning CT
    trend = read_trend(course)                        # trend.dates[0].points["Parotid_L"], trend.curve(…)
"""

from autocontour.course.adapt import Adaptation, adapt_package
from autocontour.course.contour import (
    DateReport,
    Options,
    contour_course,
    read_date,
    read_planning,
    read_rigid,
)
from autocontour.course.follow import follow_date
from autocontour.course.intake import Intake, add_course
from autocontour.course.page import write_course_page
from autocontour.course.record import Course, CourseCT, read_course
from autocontour.course.trend import Trend, TrendDate, read_limits, read_trend

__all__ = [
    "Adaptation",
    "Course",
    "CourseCT",
    "DateReport",
    "Intake",
    "Options",
    "Trend",
    "TrendDate",
    "adapt_package",
    "add_course",
    "contour_course",
    "follow_date",
    "read_course",
    "read_date",
    "read_limits",
    "read_planning",
    "read_rigid",
    "read_trend",
    "write_course_page",
]
