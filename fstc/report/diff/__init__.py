"""What differs between two plans, or two packages: matched, priced, and with the decisions behind it.

Example: ``as_text(diff_report(compare(old, new)))``. Reading files is :mod:`fstc.driver.compare`; here is only data.
"""
