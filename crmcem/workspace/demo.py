"""The people of the demo data. No Django here: the launcher prints them before Django is set up."""

PEOPLE = ("rep", "rep2", "manager", "cx", "admin", "integrator")
PASSWORD = "demo-password"  # noqa: S105 - shown on purpose, on demo instances only
