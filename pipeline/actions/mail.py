"""``std.email``: a message through a mail server."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

from ..errors import ActionFailed, InvalidInput
from .declaration import Context, Secret, action

PORT = 25
SUBMISSIONS = 465
SECONDS = 30.0


@action("std.email", "changes")
async def email(
    context: Context,
    from_addr: str,
    to_addrs: list[str] | str,
    smtp_server: str,
    reply_to: str | list[str] | None = None,
    cc_addrs: list[str] | str | None = None,
    bcc_addrs: list[str] | str | None = None,
    smtp_password: Secret | None = None,
    subject: str | None = None,
    body: str | None = None,
    html_body: str | None = None,
    smtp_user: str | None = None,
    timeout: float = SECONDS,  # noqa: ASYNC109 - it is the action's input
) -> None:
    """Sends a message through ``smtp_server`` (HOST or HOST:PORT; with a password always encrypted)."""
    from . import egress

    recipients = [*_list(to_addrs), *_list(cc_addrs), *_list(bcc_addrs)]
    if not recipients:
        raise InvalidInput("std.email: input `to_addrs`: at least one address is needed")
    message = _message(from_addr, to_addrs, cc_addrs, reply_to, subject, body, html_body)
    # Names are not bytes, and the id would say how this machine is called.
    message["Message-ID"] = f"<{context.call.action or 'message'}@faultline.invalid>"
    host, port = _place(smtp_server)
    try:
        address = await egress.resolve(context.allow, host, port)
    except OSError as error:
        raise ActionFailed(f"{smtp_server} cannot be reached: {error.strerror or error}") from None
    login = (smtp_user or from_addr, smtp_password) if smtp_password else None
    await context.clients.thread(_send, host, port, address, login, message, from_addr, recipients, timeout)


def _message(
    sender: str, to: Any, cc: Any, reply_to: Any, subject: str | None, body: str | None, html: str | None
) -> EmailMessage:
    message = EmailMessage()
    headers = {"From": sender, "To": to, "Cc": cc, "Reply-To": reply_to, "Subject": subject or ""}
    for name, value in headers.items():
        try:
            if value is not None:
                message[name] = ", ".join(_list(value)) if name != "Subject" else value
        except ValueError as error:
            raise InvalidInput(f"std.email: {name}: {error}") from None
    message["Date"] = formatdate(localtime=False)
    message.set_content(body or "")
    if html:
        message.add_alternative(html, subtype="html")
    return message


# In a thread; its sockets have the time limit.
def _send(
    host: str,
    port: int,
    address: str,
    login: tuple[str, str] | None,
    message: EmailMessage,
    sender: str,
    recipients: list[str],
    limit: float,
) -> None:
    import smtplib
    import socket
    import ssl

    class Server(smtplib.SMTP):
        """Connects to the address that was found permitted; the name is what its certificate must hold."""

        def _get_socket(self, name: str, number: int, seconds: float) -> socket.socket:
            plain = socket.create_connection((address, number), seconds)
            if number != SUBMISSIONS:
                return plain
            return ssl.create_default_context().wrap_socket(plain, server_hostname=name)

    begun = False
    try:
        with Server(host, port, timeout=limit, local_hostname="faultline.invalid") as server:
            server.ehlo()
            if login is not None:
                if port != SUBMISSIONS:
                    server.starttls(context=ssl.create_default_context())
                    server.ehlo()
                server.login(*login)
            begun = True
            refused = server.send_message(message, sender, recipients)
    except smtplib.SMTPRecipientsRefused as error:
        raise ActionFailed(
            f"{host}:{port} takes none of the recipients", details=_refusals(error.recipients)
        ) from None
    except smtplib.SMTPResponseException as error:
        said = (
            error.smtp_error.decode(errors="replace")
            if isinstance(error.smtp_error, bytes)
            else error.smtp_error
        )
        raise ActionFailed(f"{host}:{port} refuses: {error.smtp_code} {said}") from None
    except smtplib.SMTPNotSupportedError as error:
        raise ActionFailed(
            f"{host}:{port}: {error}; a password is sent only where the server encrypts"
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        doubt = "; outcome unknown" if begun else ""
        raise ActionFailed(f"{host}:{port}: {type(error).__name__}: {error}{doubt}") from None
    if refused:
        raise ActionFailed("the message was sent, but not to all", details=_refusals(refused))


def _refusals(recipients: Any) -> dict[str, Any]:
    refused = {
        address: f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
        for address, (code, text) in recipients.items()
    }
    return {"refused": refused}


def _list(value: list[str] | str | None) -> list[str]:
    if value is None:
        return []
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _place(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if not colon or server.endswith("]"):
        host, port = server, str(PORT)
    if not port.isdigit() or not host:
        raise InvalidInput("std.email: input `smtp_server`: HOST or HOST:PORT is needed")
    return host.strip("[]"), int(port)


ACTIONS = (email,)
