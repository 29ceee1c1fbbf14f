"""The generated parts of the pages, a room for each subject; gen_docs_tables.py puts them into their places.

What can be read off the code is read off the code (values, transitions, severities); what only a person can
say stands here beside it, and a row whose constant is gone stops the script.
"""
