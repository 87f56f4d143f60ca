"""Sigma rules for Linux process creation as SQL on exectrail's lines, for DuckDB and ClickHouse.

    pip install pysigma==2.0.1 pysigma-backend-sqlite==2.1.1
    python3 exectrail_sigma.py duckdb RULE.yml... > rules.sql

A query reads the view `execs` (duckdb/views.sql, clickhouse/views.sql). A rule that needs a
field that the log does not have is an error that names the field, never a condition that is
silently false.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.exceptions import (
    SigmaError,
    SigmaFeatureNotSupportedByBackendError,
    SigmaTransformationError,
)
from sigma.processing.conditions import LogsourceCondition
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import FieldMappingTransformation, RuleFailureTransformation
from sigma.processing.transformations.base import DetectionItemTransformation
from sigma.types import SigmaNull, SigmaString

# Fields of Sigma, and the columns of `execs`.
FIELDS = {
    "Image": "program",
    "CommandLine": "command_line",
    "CurrentDirectory": "cwd",
    "ParentImage": "parent_exe",
    "ParentCommandLine": "parent_command_line",
    "ProcessId": "pid",
    "ParentProcessId": "ppid",
    "User": "user_name",
}


@dataclass
class OnlyKnownFields(DetectionItemTransformation):
    """Refuses what would never match: unknown fields, and users' names other than root."""

    def apply_detection_item(self, item):
        if item.field is None:
            return
        if item.field not in FIELDS:
            known = ", ".join(FIELDS)
            raise SigmaTransformationError(
                f"exectrail does not log the field {item.field}. Fields of rules: {known}",
                source=item.source,
            )
        names = [value for value in item.value if not isinstance(value, SigmaNull)]
        if item.field == "User" and any(str(name) != "root" for name in names):
            raise SigmaTransformationError(
                "exectrail logs ids of users, not names: of User only `root` can be compared",
                source=item.source,
            )


def pipeline() -> ProcessingPipeline:
    """From Sigma's fields to the columns of `execs`."""
    logs = LogsourceCondition(category="process_creation", product="linux")
    other = RuleFailureTransformation("only rules for Linux process_creation can be translated")
    return ProcessingPipeline(
        name="exectrail",
        priority=20,
        items=[
            ProcessingItem(other, rule_conditions=[logs], rule_condition_negation=True),
            ProcessingItem(OnlyKnownFields()),
            ProcessingItem(FieldMappingTransformation(FIELDS)),
        ],
    )


class ExecsBackend(sqliteBackend):
    """What DuckDB and ClickHouse have in common, and SQLite has not: ILIKE, booleans, RE2."""

    timestamp_field = "ts"
    null_safe_expression = "COALESCE({expr}, false)"
    field_timestamp_part_expression = None
    # Keywords are searched for in the command line.
    fulltext_field = "command_line"

    def finalize_query_default(self, rule, query, index, state):
        """Adds the rule's title, and replaces characters that act on a terminal."""
        found = super().finalize_query_default(rule, query, index, state)
        shown = ", ".join(
            f"{self.shown}({name}) AS {name}" for name in ("program", "command_line")
        )
        title = self.literal(rule.title)
        columns = f"{title} AS rule, ts, username, workspace, pid, start, {shown}"
        return f"SELECT {columns} FROM ({found}) AS found"

    def literal(self, text: str) -> str:
        """A string literal of SQL for `text`, in which no character has a special meaning."""
        raise NotImplementedError

    def like(self, field: str, value: SigmaString, cased: bool, anywhere: bool = False) -> str:
        """Compares a column with a text that has wildcards. Sigma ignores case by default."""
        pattern = value.convert(
            escape_char="\\", wildcard_multi="%", wildcard_single="_", add_escaped=""
        )
        if anywhere:
            pattern = f"%{pattern}%"
        operator = "LIKE" if cased else "ILIKE"
        return f"{field} {operator} {self.literal(pattern)}{self.like_suffix}"

    def convert_condition_field_eq_val_str(self, cond, state):
        return self.like(self.escape_and_quote_field(cond.field), cond.value, cased=False)

    def convert_condition_field_eq_val_str_case_sensitive(self, cond, state):
        return self.like(self.escape_and_quote_field(cond.field), cond.value, cased=True)

    def convert_condition_val_str(self, cond, state):
        cased = type(cond.value).__name__ == "SigmaCasedString"
        return self.like(self.fulltext_field, cond.value, cased, anywhere=True)

    def convert_condition_field_eq_val_re(self, cond, state):
        regex = self.literal(cond.value.escape((), "", False, True))
        return self.re_expression.format(field=self.escape_and_quote_field(cond.field), regex=regex)

    def convert_condition_val_re(self, cond, state):
        regex = self.literal(cond.value.escape((), "", False, True))
        return self.re_expression.format(field=self.fulltext_field, regex=regex)

    def convert_condition_field_eq_val_cidr(self, cond, state):
        raise SigmaFeatureNotSupportedByBackendError(f"no address is in the column {cond.field}")

    def convert_condition_field_eq_field(self, cond, state):
        raise SigmaFeatureNotSupportedByBackendError(
            f"the field {cond.field} cannot be compared with another one"
        )

    def convert_correlation_rule(self, rule, *args, **kwargs):
        raise SigmaFeatureNotSupportedByBackendError("correlations are not translated")


class DuckDbBackend(ExecsBackend):
    """For duckdb/views.sql."""

    table = "execs"
    shown = "shown"
    like_suffix = " ESCAPE '\\'"
    re_expression = "regexp_matches({field}, {regex})"

    def literal(self, text):
        return "'" + text.replace("'", "''") + "'"


class ClickHouseBackend(ExecsBackend):
    """For clickhouse/views.sql. The dot matches no line break, as in Sigma and DuckDB."""

    table = "exectrail.execs"
    shown = "exectrail_shown"
    like_suffix = ""
    re_expression = "match({field}, concat('(?-s)', {regex}))"

    def literal(self, text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


BACKENDS = {"duckdb": DuckDbBackend, "clickhouse": ClickHouseBackend}


def queries(engine: str, rules: str) -> list[str]:
    """The query of each rule of a YAML text."""
    backend = BACKENDS[engine](processing_pipeline=pipeline())
    return backend.convert(SigmaCollection.from_yaml(rules))


def main() -> int:
    parser = argparse.ArgumentParser(description="Translate Sigma rules to SQL on exectrail's log")
    parser.add_argument("engine", choices=BACKENDS)
    parser.add_argument("rules", nargs="+", type=Path, metavar="RULE.yml")
    args = parser.parse_args()
    failed = False
    for file in args.rules:
        try:
            for query in queries(args.engine, file.read_text(encoding="utf-8")):
                print(f"{query};")
        except (OSError, UnicodeError, NotImplementedError, SigmaError) as error:
            print(f"exectrail_sigma: {file}: {error}", file=sys.stderr)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
