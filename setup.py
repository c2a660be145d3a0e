"""The packages of an installed lab. Everything else is in pyproject.toml, which cannot add one to those it finds."""

from setuptools import find_packages, setup

setup(script_name=__file__, packages=[*find_packages(include=["core*", "lab*"]), "architecture_lab"])
