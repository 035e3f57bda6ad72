"""The ``faultline`` command: finds the module of a command, loads only that one, and runs it."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from . import __version__
from .errors import FaultlineError, InvalidCall, InvalidDocument, InvalidSetting

GROUPS: dict[str, dict[str, str]] = {
    "run the pipeline": {
        "demo": "play an incident on this machine and show what happens",
        "up": "start the whole pipeline on this machine",
        "down": "stop it",
        "status": "roles, lag, counts, rules, executions",
        "worker": "one worker of a deployment",
        "config": "the settings in force and where each comes from",
    },
    "write rules and playbooks": {
        "validate": "check rules, playbooks, topics and schemas",
        "simulate": "play events against rules without a broker",
        "run": "run a workflow without a broker",
        "test": "run the tests beside rules and playbooks",
        "rules": "add, remove, list and show rules on a running pipeline",
        "workflows": "the same for playbooks",
        "triggers": "the same for what starts workflows",
        "environments": "the same for values that executions share",
    },
    "publish and read": {
        "emit": "send JSON lines to a topic, checked first",
        "tail": "print the records of a topic",
        "alarms": "the alarms that are, or were",
        "topology": "the entities and how they hang together",
        "rca": "the root cause of an alarm",
        "impact": "what depends on an entity",
        "explain": "why an alarm is there, or a rule does not hold",
        "history": "what happened to one thing",
        "sql": "query history",
        "dead-letters": "what could not be read or applied",
    },
    "act": {
        "start": "start an execution of a workflow",
        "executions": "what playbooks did and do",
        "pause": "hold an execution",
        "resume": "let it go on",
        "cancel": "end it as CANCELLED",
        "stop": "end it as SUCCESS or ERROR",
        "rerun": "run a task that failed again",
        "skip": "go on without a task that failed",
        "complete": "give the result of an action that somebody carried out",
        "approve": "decide what an execution waits for",
        "release": "start what a limit holds back",
        "drop": "give up what a limit holds back",
        "effects": "let executors take work, or not",
    },
}
OPERATING = ("pause", "resume", "cancel", "stop", "rerun", "skip", "complete", "approve", "release", "drop")
MODULES = dict.fromkeys(OPERATING, "operate")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status: 0 done, 1 failed, 2 called wrongly."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    known = {name for commands in GROUPS.values() for name in commands}
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        print(f"faultline {__version__}")
        return 0
    command = arguments[0]
    if command not in known:
        print(
            f"faultline: no command {command!r}{nearest(command, known)}; see faultline --help",
            file=sys.stderr,
        )
        return 2
    return run(command, arguments[1:])


def run(command: str, arguments: Sequence[str]) -> int:
    """Loads the module of ``command``, parses ``arguments`` and runs it."""
    module = load(command)
    parser = argparse.ArgumentParser(prog=f"faultline {command}", description=module.__doc__)
    parser.set_defaults(command=command)
    module.configure(parser)
    try:
        status = module.run(parser.parse_args(arguments))
        # A reader such as head may have closed the pipe: find out here, not at exit.
        sys.stdout.flush()
        return int(status)
    except (InvalidCall, InvalidSetting) as error:
        print(f"faultline {command}: {error}", file=sys.stderr)
        return 2
    except InvalidDocument as error:
        print(error, file=sys.stderr)
        return 1
    except FaultlineError as error:
        print(f"faultline {command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def load(command: str) -> ModuleType:
    """The module that carries out ``command``."""
    name = MODULES.get(command, command.replace("-", "_"))
    return importlib.import_module(f".commands.{name}", __package__)


def overview() -> str:
    """What ``faultline --help`` prints."""
    lines = [
        "usage: faultline COMMAND [ARGUMENTS]   (faultline COMMAND --help tells more)",
        "",
        "Finds the root cause of faults in large systems and repairs them.",
    ]
    for group, commands in GROUPS.items():
        lines += ["", f"{group}:"]
        lines += [f"  {name:<13} {summary}" for name, summary in commands.items()]
    return "\n".join(lines)


def nearest(word: str, known: set[str]) -> str:
    """A hint at the command that was meant, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
