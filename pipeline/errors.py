"""Every error that Faultline raises on purpose, as one small tree."""

from __future__ import annotations


class FaultlineError(Exception):
    """Raised when Faultline cannot do what was asked; the message says what to do next."""


class InvalidCall(FaultlineError):
    """Raised when a command or an API request was called wrongly (exit status 2)."""


class InvalidSetting(FaultlineError):
    """Raised when a setting is unknown or has a value that cannot be used."""


class InvalidRecord(FaultlineError):
    """Raised when one record cannot be decoded, checked or applied; it goes to dead letters.

    ``reason`` is a stable word for counting (``not-json``, ``bad-type``, ...).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class InvalidDocument(FaultlineError):
    """Raised when a YAML document (rule, playbook, topic, values) is refused.

    ``findings`` holds one ``pipeline.document.Finding`` or more.
    """

    def __init__(self, findings: list[object]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings


class ExpressionError(FaultlineError):
    """Raised when an expression of a workflow or a rule cannot be evaluated."""


class UnknownFilter(ExpressionError):
    """Raised when an expression is well formed, and names a filter or test that does not exist."""


class ActionFailed(FaultlineError):
    """Raised by an action when what it tried did not work; the message is the task's error.

    ``details``, where given, is what the task's result carries instead of the message.
    """

    def __init__(self, message: str, details: object = None) -> None:
        super().__init__(message)
        self.details = details


class InvalidInput(ActionFailed):
    """Raised when an action is called with input that it does not take; nothing was done."""


class UnknownAction(ActionFailed):
    """Raised when a playbook names an action that does not exist here."""


class BrokerUnavailable(FaultlineError):
    """Raised when the Kafka broker cannot be started or reached."""


class TopicMismatch(FaultlineError):
    """Raised when a topic exists with other settings than its declaration asks for."""


class Fenced(FaultlineError):
    """Raised when another worker has taken over a partition; this process must end."""


class CheckpointFailed(FaultlineError):
    """Raised when a checkpoint could not be written or restored; this process must end."""


class NotRunning(FaultlineError):
    """Raised when a command needs a running pipeline and finds none."""


class AlreadyRunning(FaultlineError):
    """Raised when a pipeline is started on a data directory that has a live one."""


class NameTaken(FaultlineError):
    """Raised when a worker is started under the name of one of the same role that lives."""


class HistoryUnavailable(FaultlineError):
    """Raised when ClickHouse cannot be opened or reached."""


class RegistryUnavailable(FaultlineError):
    """Raised when the schema registry does not answer; what needs it waits and asks again."""


class SchemaRefused(FaultlineError):
    """Raised when the schema registry refuses one of our schemas; ask it which versions it holds."""


class DeliveryFailed(FaultlineError):
    """Raised when Kafka did not take a record that must not be lost; this process must end."""


class QueryRefused(FaultlineError):
    """Raised when ClickHouse refuses a query or cannot finish it within its bounds."""


class NotFound(FaultlineError):
    """Raised when there is no alarm, entity or execution of the name that was asked for."""
