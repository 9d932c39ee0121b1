"""The organisation and the people who sign in."""

from django.contrib.auth.hashers import make_password

from crmcem.lib.actors import SYSTEM, acting
from crmcem.workspace import organisation
from crmcem.workspace.demo import PASSWORD
from crmcem.workspace.models import Organisation, Role, Team, User
from crmcem.workspace.services.people import person_save, team_save

DOMAIN = "harbour-records.example"
#: user name → first name, last name, role, team, time zone, language
CAST = {
    "rep": ("Rosa", "Delgado", "rep", "North", "America/New_York", "en"),
    "rep2": ("Samuel", "Okoye", "rep", "South", "America/Los_Angeles", "en"),
    "manager": ("Marta", "Lindgren", "sales_manager", "North", "America/New_York", "en"),
    "cx": ("Clara", "Winter", "cx_manager", None, "Europe/Berlin", "en"),
    "admin": ("Arun", "Mehta", "admin", None, "America/New_York", "en"),
    "integrator": ("Ines", "Duarte", "integrator", None, "Europe/Berlin", "en"),
}


def make_cast() -> dict[str, User]:
    """Settings, teams and people; their addresses lead nowhere, so nothing is mailed to them."""
    with acting(SYSTEM):
        Organisation.objects.update_or_create(
            pk=1,
            defaults={
                "name": "Harbour Records",
                "time_zone": "America/New_York",
                "currency": "USD",
                "country": "US",
                "contact_budget_days": 30,
                "postal_address": "Harbour Records\n1 Long Wharf\nBoston, MA 02110",
            },
        )
    organisation.forget()
    teams = {name: team_save(team=Team(name=name), actor=SYSTEM) for name in ("North", "South")}
    roles = {role.key: role for role in Role.objects.all()}
    password = make_password(PASSWORD)
    people = {}
    for name, (first, last, role, team, zone, language) in CAST.items():
        user = User(
            username=name,
            email=f"{name}@{DOMAIN}",
            first_name=first,
            last_name=last,
            password=password,
            role=roles[role],
            team=teams[team] if team else None,
            time_zone=zone,
            language=language,
            email_notifications=False,
        )
        people[name] = person_save(user=user, actor=SYSTEM)
    return people
