"""Read governance policies from TOML files: named rules, each with a trigger and an action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from annotated_types import Interval
from pydantic import BaseModel, Field, ValidationError

from sim.governance.actions import ActionParams, WarnAction
from sim.governance.params import NO_POLICY, RegulatorParams
from sim.governance.rule_policy import Rule, RulePolicy
from sim.governance.triggers import AlwaysTrigger, TriggerParams
from sim.scenario.declarations import Parameter, Schema, parameters
from sim.scenario.messages import describe_unread_parameter, describe_validation_error, did_you_mean
from sim.toml_files import TomlError, name_of, read_toml

POLICIES_DIR: Final = Path(__file__).parent / "policies"
"""Folder of the governance policies that are installed with asara."""


class PolicyError(ValueError):
    """Report a governance policy that cannot be used: the file, the rule, and what is allowed."""


class _ScopeParams(
    BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
):
    """Parameters of the scope of a rule."""

    lasts_days: Annotated[float, Interval(ge=0, le=36_500), "days"] = 0.0
    """Time for which the order stays in force after an alarm. 0: as long as the alarm is raised."""


class RuleValues(Schema, frozen=True, extra="forbid"):
    """Parameters of a rule, in the blocks of its trigger, its action and its scope."""

    trigger: Annotated[TriggerParams, Field(discriminator="when")] = AlwaysTrigger()
    action: Annotated[ActionParams, Field(discriminator="order")] = WarnAction()
    scope: _ScopeParams = _ScopeParams()


_WATCHES: Final = ("any", "each")


class PolicyFile(NamedTuple):
    """Content of a file of a governance policy."""

    name: str
    path: Path
    description: str
    source: str
    rules: tuple[Rule, ...]

    @property
    def labs(self) -> tuple[str, ...]:
        """Labs that its rules name."""
        return tuple(dict.fromkeys(lab for rule in self.rules for lab in rule.labs))

    def policy(self, params: RegulatorParams) -> RulePolicy:
        """Return the policy as a regulator with these parameters follows it."""
        return RulePolicy(self.rules, params.times, params.off)


def shipped_policies() -> list[str]:
    """Return the names of the governance policies that are installed with asara."""
    return sorted(path.stem for path in POLICIES_DIR.glob("*.toml"))


def find_policy(name_or_path: str) -> Path:
    """Return the file of a shipped policy, or the path that the name itself is. Raises PolicyError."""
    names = shipped_policies()
    if name_or_path in names:
        return POLICIES_DIR / f"{name_or_path}.toml"
    if name_or_path.endswith(".toml") or "/" in name_or_path:
        return Path(name_or_path)
    near = did_you_mean(name_or_path, [NO_POLICY, *names])
    raise PolicyError(
        f"no governance policy '{name_or_path}'; allowed: {', '.join((NO_POLICY, *names))}, or the path of a file that "
        f"ends in .toml{near}"
    )


def digest_of_policy(params: RegulatorParams) -> str:
    """Return the SHA-256 of the policy's file; empty without a regulator. Raises PolicyError."""
    if params.policy == NO_POLICY:
        return ""
    path = find_policy(params.policy)
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise PolicyError(f"{path}: cannot be read ({error.strerror})") from None


def read_policy(name_or_path: str) -> PolicyFile:
    """Return a governance policy that ships, or one from a TOML file.

    Raises PolicyError if there is no such policy, the file cannot be read, or a rule is not allowed.
    """
    path = find_policy(name_or_path)
    try:
        content = read_toml(path)
    except TomlError as error:
        raise PolicyError(str(error)) from None
    try:
        for key in content:
            if key not in ("description", "source", "rules"):
                raise PolicyError(
                    f"no key '{key}' in a governance policy; allowed: description, source and rules"
                    f"{did_you_mean(key, ('description', 'source', 'rules'))}"
                )
        tables = content.get("rules", {})
        if not isinstance(tables, dict):
            raise PolicyError(f"rules = {tables!r} is not a table; allowed: tables such as [rules.NAME]. Write one")
        rules = tuple(_rule(name, table) for name, table in tables.items())
    except PolicyError as error:
        raise PolicyError(f"{path}: {error}") from None
    return PolicyFile(name_of(path), path, str(content.get("description", "")), str(content.get("source", "")), rules)


def _rule(name: str, table: Any) -> Rule:
    if not isinstance(table, dict):
        raise PolicyError(f"rules.{name} = {table!r} is not a table; allowed: a table [rules.{name}]. Write one")
    if "," in name:
        raise PolicyError(f"rule '{name}': a name has a comma; allowed: names without one. Rename the rule")
    stated = dict(table)
    labs, watches = _labs(name, stated.pop("labs", [])), stated.pop("watches", "any")
    if watches not in _WATCHES:
        raise PolicyError(f"rule '{name}': watches = {watches!r} is not allowed; allowed: {' or '.join(_WATCHES)}")
    if watches == "each" and labs:
        raise PolicyError(f"rule '{name}': labs is not read with watches = 'each'; allowed: one of both. Leave one out")
    values = _values(name, stated)
    return Rule(name, values.trigger, values.action, values.scope.lasts_days, labs, watches)


def _labs(name: str, stated: Any) -> tuple[str, ...]:
    if not isinstance(stated, list) or not all(isinstance(lab, str) for lab in stated):
        raise PolicyError(f"rule '{name}': labs = {stated!r} is not allowed; allowed: a list of names of labs")
    return tuple(stated)


def _values(name: str, stated: Mapping[str, Any]) -> RuleValues:
    """Return the parameters of a rule, each block of the class that its selector selects."""
    known = parameters(RuleValues)
    own = {parameter.name: parameter for parameter in known.values()}
    for key in stated:
        if key not in own:
            allowed = (*own, "labs", "watches")
            raise PolicyError(f"rule '{name}': no key '{key}'{did_you_mean(key, allowed) or _allowed(allowed)}")
    blocks = {block: _block(name, block, stated, own, known) for block in RuleValues.blocks}
    return RuleValues.model_validate(blocks)


def _allowed(names: Sequence[str]) -> str:
    return f"; allowed: {', '.join(names)}"


def _block(
    rule: str, name: str, stated: Mapping[str, Any], own: Mapping[str, Parameter], known: Mapping[str, Parameter]
) -> BaseModel:
    block = RuleValues.blocks[name]
    values = {key: _as_number(value) for key, value in stated.items() if own[key].block == name}
    kind = block.class_for(values[block.selector]) if block.selector in values else block.classes[0]
    for key in values:
        if key not in kind.model_fields:
            choice = values.get(block.selector, kind.model_fields[block.selector].default)
            raise PolicyError(f"rule '{rule}': {_plain(describe_unread_parameter(own[key], choice))}")
    try:
        return kind(**values)
    except ValidationError as error:
        problems = "; ".join(describe_validation_error(name, each, known) for each in error.errors())
        raise PolicyError(f"rule '{rule}': {_plain(problems)}") from None


def _as_number(value: Any) -> Any:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _plain(message: str) -> str:
    """Return a message with the keys of a rule in place of flat names."""
    for block in RuleValues.blocks:
        message = message.replace(f"{block}__", "")
    return message
