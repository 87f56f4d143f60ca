"""Stands in for `clickhouse-client` in the tests, with the options that they use. It runs the
queries in chDB, which contains ClickHouse's engine.

The variable CHDB has the directory of the data; options of chDB may follow after a `?`. Results
have tabs between fields, and no escapes.
"""

import os
import re
import sys
import tempfile

import chdb


def statements(text):
    text = re.sub(r"^\s*--.*$", "", text, flags=re.MULTILINE)
    return [part.strip() for part in re.split(r";\s*(?:\n|$)", text) if part.strip()]


def main():
    parameters, queries = {}, []
    arguments = iter(sys.argv[1:])
    for argument in arguments:
        if argument.startswith("--param_"):
            name, value = argument.removeprefix("--param_").split("=", 1)
            parameters[name] = value
        elif argument == "--queries-file":
            with open(next(arguments), encoding="utf-8") as file:
                queries += statements(file.read())
        elif argument == "--query":
            queries += statements(next(arguments))
        else:
            sys.exit(f"the stand-in for clickhouse-client does not know {argument}")
    connection = chdb.connect(os.environ["CHDB"])
    connection.query("SET format_tsv_null_representation = ''")
    for query in queries:
        # An INSERT reads its rows from a file, because chDB has no standard input.
        inserted = re.fullmatch(r"(INSERT INTO \S+) FORMAT LineAsString", query)
        if not inserted:
            print(connection.query(query, "TSVRaw", params=parameters), end="")
            continue
        with tempfile.NamedTemporaryFile() as rows:
            rows.write(sys.stdin.buffer.read())
            rows.flush()
            source = f"file('{rows.name}', LineAsString)"
            connection.query(f"{inserted[1]} SELECT line FROM {source}")
    sys.stdout.flush()
    # If a Keeper runs in this process, a normal exit hangs, because the tables wait for the Keeper.
    if "config-file" in os.environ["CHDB"]:
        os._exit(0)


main()
