"""Answers to questions about a plan: where two values are computed, why they are apart, what it would take.

Example: ``as_text(explain_report(homes_of(graph, plan), ("max", "exp")))``. Plans come from :mod:`fstc.driver`.
"""
