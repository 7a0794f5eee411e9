"""Procedures and derived quantities of papers, built on laws, fits and decisions: `sj.procedures`."""

from __future__ import annotations
