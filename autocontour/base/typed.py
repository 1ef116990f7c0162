"""Settings with types: TOML and JSON read into dataclasses, with every problem of a file found at once.

A file is described by frozen dataclasses. The type of a field, with limits in `Annotated`, defines the setting
completely::

    @dataclass(frozen=True)
    class Stage:
        batch: Annotated[int, Range(1, 64)] = 2

Types are strict: ``1.0`` is not a whole number, ``"1"`` is not a number, ``true`` is neither, NaN and infinity are
refused everywhere. Unknown keys are refused unless the class sets ``open_keys = True``. Relations between settings are
checked by a method ``find_problems`` of the class that contains them.

A module that defines such classes must not import ``annotations`` from ``__future__``: cattrs would not see the limits.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import math
import tomllib
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from autocontour.base.findings import Finding
from autocontour.base.limits import Length, join_path, key_path, shown

if TYPE_CHECKING:
    from cattrs import Converter

Kind = TypeVar("Kind")
Hook = Callable[[Any, Any], Any]
MOST_SHOWN = 50


class SettingsError(Exception):
    """A file whose settings cannot be used.

    Attributes
    ----------
    problems
        One Finding for each, `Finding.where` being the setting's path, such as ``stages.segmenter.batch``.
    """

    def __init__(self, problems: Sequence[Finding]) -> None:
        super().__init__("; ".join(f"{problem.where}: {problem.message}" for problem in problems[:MOST_SHOWN]))
        self.problems = tuple(problems[:MOST_SHOWN])


def read_file(path: Path) -> bytes:
    """Return the content of a file of settings.

    Raises
    ------
    OSError
        If it does not exist, may not be read, or is not a regular file (reading a pipe or device might block).
    """
    if not path.is_file():
        raise FileNotFoundError(errno.ENOENT, "there is no such file")
    return path.read_bytes()


def read_toml(kind: type[Kind], data: bytes) -> Kind:
    """Read the content of a TOML file as `kind`.

    Raises
    ------
    SettingsError
        ``AC-CFG-001`` if it is not TOML, or every problem of `build`.
    """
    try:
        content = tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SettingsError([Finding.of("AC-CFG-001", language="TOML", reason=_reason(error))]) from error
    return build(kind, content)


def read_json(data: bytes | str) -> Any:  # noqa: ANN401
    """Return the content of a JSON file, in which no key is repeated and no number is NaN or infinite.

    Raises
    ------
    SettingsError
        ``AC-CFG-001`` if it is not JSON.
    """
    try:
        return json.loads(data, object_pairs_hook=_object_without_repetition, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise SettingsError([Finding.of("AC-CFG-001", language="JSON", reason=_reason(error))]) from error


def build(kind: type[Kind], content: Any) -> Kind:  # noqa: ANN401
    """Turn plain dictionaries, lists, texts and numbers into `kind`.

    Raises
    ------
    SettingsError
        With every problem found.

    Examples
    --------
    >>> from typing import Annotated
    >>> from autocontour.base.limits import Range
    >>> Stage = dataclasses.make_dataclass("Stage", [("batch", Annotated[int, Range(1, 64)])])
    >>> build(Stage, {"batch": 2})
    Stage(batch=2)
    >>> build(Stage, {"batch": 0, "bath": 1})
    Traceback (most recent call last):
    autocontour.base.typed.SettingsError: batch: Expected a number from 1 to 64, got 0.; bath: Unknown setting. ...
    """
    try:
        built: Kind = _converter().structure(content, kind)
    except Exception as error:  # cattrs collects the errors of the hooks in exception groups
        raise SettingsError(list(_problems(error, ""))) from error
    return built


@cache
def _converter() -> Converter:
    from cattrs import Converter

    made = Converter(detailed_validation=True, forbid_extra_keys=True)
    scalars: dict[type, Hook] = {bool: _read_flag, int: _read_whole, float: _read_number, str: _read_text}
    for kind, hook in scalars.items():
        made.register_structure_hook(kind, hook)
    made.register_structure_hook_factory(_is(tuple), _tuple_hook)
    made.register_structure_hook_factory(_is(dict), _dict_hook)
    made.register_structure_hook_factory(dataclasses.is_dataclass, _dataclass_hook)
    made.register_structure_hook_factory(_is_one_or_many, _one_or_many_hook)
    made.register_structure_hook_factory(_is_limited, _annotated_hook)
    return made


def _is(kind: Any) -> Callable[[Any], bool]:  # noqa: ANN401
    return lambda found: typing.get_origin(found) is kind


def _is_limited(found: Any) -> bool:  # noqa: ANN401
    return typing.get_origin(found) is Annotated


def _read_flag(value: Any, _kind: Any) -> bool:  # noqa: ANN401
    if not isinstance(value, bool):
        raise SettingsError([Finding.of("AC-CFG-004", value=shown(value))])
    return value


def _read_whole(value: Any, _kind: Any) -> int:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int):
        raise SettingsError([Finding.of("AC-CFG-005", value=shown(value))])
    return value


def _read_number(value: Any, _kind: Any) -> float:  # noqa: ANN401
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise SettingsError([Finding.of("AC-CFG-006", value=shown(value))])
    return number


def _read_text(value: Any, _kind: Any) -> str:  # noqa: ANN401
    if not isinstance(value, str):
        raise SettingsError([Finding.of("AC-CFG-007", value=shown(value))])
    return value


def _tuple_hook(kind: Any, converter: Converter) -> Hook:  # noqa: ANN401
    from cattrs.cols import homogenous_tuple_structure_factory

    item, *others = typing.get_args(kind)
    fixed = None if others == [...] else 1 + len(others)
    read = homogenous_tuple_structure_factory(types.GenericAlias(tuple, (item, ...)), converter)  # type: ignore[arg-type]

    def checked(value: Any, _kind: Any) -> tuple[Any, ...]:  # noqa: ANN401
        if not isinstance(value, list | tuple):
            raise SettingsError([Finding.of("AC-CFG-008", value=shown(value))])
        if fixed is not None and len(value) != fixed:
            raise SettingsError(list(Length(fixed, fixed).problems(value)))
        return tuple(read(value, kind))

    return checked


def _one_or_many_hook(kind: Any, converter: Converter) -> Hook:  # noqa: ANN401
    """Read a setting that is one value or a list of them: the list where a list is given."""
    (many,) = (choice for choice in typing.get_args(kind) if typing.get_origin(choice) is tuple)
    (one,) = (choice for choice in typing.get_args(kind) if choice is not many)
    return lambda value, _kind: converter.structure(value, many if isinstance(value, list) else one)


def _is_one_or_many(found: Any) -> bool:  # noqa: ANN401
    choices = [choice for choice in typing.get_args(found) if choice is not types.NoneType]
    is_union = typing.get_origin(found) in (typing.Union, types.UnionType)
    return is_union and len(choices) > 1 and any(typing.get_origin(choice) is tuple for choice in choices)


def _dict_hook(kind: Any, converter: Converter) -> Hook:  # noqa: ANN401
    from cattrs.gen import make_mapping_structure_fn

    read = make_mapping_structure_fn(kind, converter, detailed_validation=True)
    return lambda value, _kind: read(_table(value), kind)


def _dataclass_hook(kind: Any, converter: Converter) -> Hook:  # noqa: ANN401
    from cattrs.gen import make_dict_structure_fn

    closed = not getattr(kind, "open_keys", False)
    read = make_dict_structure_fn(
        kind, converter, _cattrs_forbid_extra_keys=closed, _cattrs_detailed_validation=True, _cattrs_use_linecache=False
    )

    def checked(value: Any, _kind: Any) -> Any:  # noqa: ANN401
        built = read(_table(value), kind)
        if problems := list(built.find_problems() if hasattr(built, "find_problems") else ()):
            raise SettingsError(problems)
        return built

    return checked


def _annotated_hook(kind: Any, converter: Converter) -> Hook:  # noqa: ANN401
    plain, *marks = typing.get_args(kind)
    limits = [mark for mark in marks if hasattr(mark, "problems")]
    raw_kind = {tuple: list, dict: Mapping}.get(typing.get_origin(plain))

    def checked(value: Any, _kind: Any) -> Any:  # noqa: ANN401
        errors: list[Exception] = []
        built = value
        try:
            built = converter.structure(value, plain)
        except Exception as error:  # noqa: BLE001  (all that a hook may raise is put into one list)
            errors.append(error)
        # A list or table is checked as it was given, so that problems of its own and of its entries are listed at once.
        if not errors or (raw_kind and isinstance(value, raw_kind)):
            problems = [problem for limit in limits for problem in limit.problems(value if raw_kind else built)]
            errors += [SettingsError(problems)] if problems else []
        if errors:
            raise ExceptionGroup("limits", errors)
        return built

    return checked


def _table(value: Any) -> Mapping[str, Any]:  # noqa: ANN401
    if not isinstance(value, Mapping):
        raise SettingsError([Finding.of("AC-CFG-003", value=shown(value))])
    return value


def _problems(error: BaseException, path: str) -> Iterator[Finding]:
    """Yield every problem in what cattrs raised, with the setting's path."""
    from cattrs.errors import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError

    if isinstance(error, ClassValidationError | IterableValidationError):
        placed, others = error.group_exceptions()
        for one, note in placed:
            yield from _problems(one, join_path(path, _part(note)))
        for one in others:
            yield from _problems(one, path)
    elif isinstance(error, ExceptionGroup):
        for one in error.exceptions:
            yield from _problems(one, path)
    elif isinstance(error, ForbiddenExtraKeysError):
        known = ", ".join(field.name for field in dataclasses.fields(error.cl))
        for key in sorted(error.extra_fields):
            yield Finding.of("AC-CFG-002", join_path(path, key_path(key)), known=known)
    elif isinstance(error, SettingsError):
        for problem in error.problems:
            yield dataclasses.replace(problem, where=join_path(path, problem.where))
    elif isinstance(error, KeyError) and path.endswith(str(error.args[0])):
        yield Finding.of("AC-CFG-017", path)
    elif isinstance(error, RecursionError):
        yield Finding.of("AC-CFG-018", path)
    else:
        raise error


def _part(note: Any) -> str:  # noqa: ANN401  (of two kinds)
    """Return the part that a note of cattrs adds to the path: a field, a key of a table or an entry of a list."""
    if hasattr(note, "name"):
        return str(note.name)
    return f"[{note.index}]" if isinstance(note.index, int) else key_path(str(note.index))


def _reason(error: BaseException) -> str:
    return shown(str(error) or type(error).__name__)


def _object_without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {shown(next(key for key in keys if keys.count(key) > 1))} is repeated")
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")
