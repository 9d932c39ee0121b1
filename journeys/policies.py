"""Who may do what with automations.

An automation acts for the whole organisation, so its definition belongs to those whose role says so; what it
did for one customer (a run) is seen by everyone who may see automations and that customer.
"""

READ = "automations:read"
WRITE = "automations:write"
DELETE = "automations:delete"
