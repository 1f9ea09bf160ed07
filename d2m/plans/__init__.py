"""Plans: everything that a piece of music will be, made from a video, edited as a text file, and played.

plan = d2m.plan("dance.mp4")
plan.section(2).mood = "gloomy:0.6"
soundtrack = d2m.play(plan)
"""

from d2m.plans.files import read_plan, write_plan
from d2m.plans.make import Cut, plan_for
from d2m.plans.play import play
from d2m.plans.types import Hit, Mix, Plan, PlanError, Section

__all__ = ["Cut", "Hit", "Mix", "Plan", "PlanError", "Section", "plan_for", "play", "read_plan", "write_plan"]
