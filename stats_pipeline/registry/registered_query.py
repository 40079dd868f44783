"""A query as it is registered: what it names is imported on first use, and checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from stats_pipeline.errors import ConfigurationError, DefinitionError
from stats_pipeline.importing import load_callable, load_class
from stats_pipeline.model import Query
from stats_pipeline.registry.items import QUERIES, Item, check_keys

#: Returns what is declared of the rows of an index, or of an aggregation.
RowsOf = Callable[[str | None, str | None], Any]


class RegisteredQuery:
    """Be a query that is ready for use; its class is imported and made on first use."""

    def __init__(self, item: Item) -> None:
        self.name = item.name
        self.owner = item.owner
        self.title = item.title
        self.declaration: Query = item.declare()
        if self.declaration.permission is None:
            raise DefinitionError(
                f"{item.title} has no 'permission': give a callable(query_name, params) -> bool, "
                "such as stats_pipeline.permissions.allow_everyone"
            )

    @property
    def description(self) -> str:
        """Return the one line that its owner wrote."""
        return self.declaration.description

    @cached_property
    def instance(self) -> Any:
        """Return the query object, made of its class and ``query_config``."""
        self._check_signature()
        try:
            return self._query_class(self.name, **self.declaration.query_config)
        except TypeError as error:
            raise self._unfit(error) from error

    def check_config(self, rows_of: RowsOf | None = None) -> None:
        """Refuse a ``query_config`` that the class does not take, or that the rows can't answer.

        Makes the query object where the class says that this costs nothing, as ours do; of others
        the signature says what they take.
        """
        if not getattr(self._query_class, "is_made_at_start", False):
            self._check_signature()
            return
        self.instance  # noqa: B018 - its constructor checks
        if rows_of is not None:
            self.check_rows(rows_of)

    def check_rows(self, rows_of: RowsOf) -> None:
        """Refuse what the declared rows can't answer; others' classes may read what they like."""
        check = getattr(self.instance, "check_rows", None)
        if callable(check):
            check(rows_of)

    @cached_property
    def permission(self) -> Callable[[str, Mapping[str, Any]], Any]:
        """Return what says who may run it."""
        return load_callable(self.declaration.permission, key="permission", owner=self.title)

    @cached_property
    def _query_class(self) -> Any:
        target = self.declaration.query_class
        return load_class(target, key="query_class", method="run", owner=self.title)

    def _check_signature(self) -> None:
        config = self.declaration.query_config
        try:
            signature = inspect.signature(self._query_class)
        except (TypeError, ValueError):  # none to be had, as for some built-in classes
            return
        takes = list(signature.parameters.values())[1:]  # the first is the name
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes):
            known = [parameter.name for parameter in takes]
            check_keys(config, known, what=QUERIES.nested_key, owner=self.title)
        try:
            signature.bind(self.name, **config)
        except TypeError as error:
            raise self._unfit(error) from error

    def _unfit(self, error: TypeError) -> DefinitionError:
        return DefinitionError(
            f"{self.title}: {self._query_class.__name__} can't be made of query_config "
            f"{sorted(self.declaration.query_config)}: {error}"
        )

    def permits(self, params: Mapping[str, Any]) -> bool:
        """Tell whether the current caller may run it with these parameters.

        Raises:
            ConfigurationError: the permission says neither yes nor no; most of what it could return
                instead, as an object with a method or a coroutine, would count as yes.
        """
        verdict = self.permission(self.name, params)
        if isinstance(verdict, bool):
            return verdict
        if inspect.iscoroutine(verdict):
            verdict.close()  # nobody will wait for it
        raise ConfigurationError(
            f"{self.title}: its permission returned a {type(verdict).__name__}; it must return "
            "True or False, without a wait"
        )
