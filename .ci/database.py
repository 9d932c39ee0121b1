"""Create or drop the database of one CI run: `database.py create|drop ADMIN_URL NAME`. Exit code 1 where refused."""

import sys

import psycopg2
from psycopg2 import sql


def main() -> int:
    """Do it; the reason of a refusal goes to stderr."""
    verb, admin, name = sys.argv[1:]
    statement = "CREATE DATABASE {}" if verb == "create" else "DROP DATABASE IF EXISTS {}"
    try:
        connection = psycopg2.connect(admin, connect_timeout=5)
        connection.autocommit = True
        with connection.cursor() as cursor:
            if verb == "drop":
                cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"test_{name}%"])
                for (left,) in cursor.fetchall():
                    cursor.execute(sql.SQL(statement).format(sql.Identifier(left)))
            cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))
    except psycopg2.Error as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
