"""Grading a person's own gradients: right or wrong, and which factor is wrong."""

from symbackprop.grade.grading import ClassReport, Grader, grade, grade_folder, grade_path, read_answers, table
from symbackprop.grade.report import Item, Report

__all__ = ["ClassReport", "Grader", "Item", "Report", "grade", "grade_folder", "grade_path", "read_answers", "table"]
