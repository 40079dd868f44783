"""The doctor: sends test messages through every hop, and says which of them work."""

from stats_pipeline.pipeline.doctor.diagnosis import diagnose
from stats_pipeline.pipeline.doctor.report import DoctorReport, Hop

__all__ = ["DoctorReport", "Hop", "diagnose"]
