"""Formula fields: a small typed language over a record's own and custom fields, compiled to one SQL expression.

``reading`` makes a tree of what was typed, ``checking`` gives every part its kind and its SQL (``functions`` and
``operators``), ``fields`` knows the names. Nothing that people type is ever run: it only chooses among pieces of SQL.
"""
