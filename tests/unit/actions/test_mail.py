"""``std.email`` against a mail server of our own."""

from __future__ import annotations

import asyncio
import base64
import datetime
import email
import email.policy
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipeline.actions import registry
from pipeline.actions.declaration import Call, Context
from pipeline.errors import ActionFailed, InvalidInput


class Mailbox:
    """A mail server that keeps what it is told; addresses that begin with ``no`` are refused."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.letters: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.greeting = b"220 mail\r\n"
        self.silent = False
        self.tls: ssl.SSLContext | None = None
        self.secured = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting)
        while line := (await reader.readline()).decode().rstrip():
            self.commands.append(line)
            verb = line.split(":")[0].split(" ")[0].upper()
            answer = b"250 ok\r\n"
            if verb == "RCPT":
                address = line.split("<")[1].split(">")[0]
                answer = b"550 unknown\r\n" if address.startswith("no") else answer
                self.recipients += [] if address.startswith("no") else [address]
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                data = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n")
                data = data.replace(b"\r\n..", b"\r\n.").replace(b"\r\n", b"\n")
                self.letters.append(email.message_from_bytes(data, policy=email.policy.default))  # type: ignore[arg-type]
                if self.silent:
                    await asyncio.sleep(30)
            elif verb == "EHLO":
                offered = b"250-STARTTLS\r\n" if self.tls and not self.secured else b""
                answer = b"250-mail\r\n" + offered + b"250 AUTH PLAIN\r\n"
            elif verb == "AUTH":
                answer = b"235 welcome\r\n"
            elif verb == "STARTTLS":
                writer.write(b"220 go on\r\n")
                await writer.drain()
                await writer.start_tls(self.tls)  # type: ignore[arg-type]
                self.secured = True
                continue
            elif verb == "QUIT":
                answer = b"221 bye\r\n"
            writer.write(answer)
        writer.close()


@asynccontextmanager
async def mailbox() -> AsyncIterator[tuple[Mailbox, int]]:
    box = Mailbox()
    server = await asyncio.start_server(box.serve, "127.0.0.1", 0)
    try:
        yield box, server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def send(port: int, allow: bool = True, **given: Any) -> Any:
    context = Context(frozenset([f"127.0.0.1:{port}"] if allow else []), call=Call(action="a-7"))
    given = {"from_addr": "me@x.org", "to_addrs": ["you@x.org"], "smtp_server": f"127.0.0.1:{port}", **given}
    try:
        return await registry.find("std.email").run(context, given)
    finally:
        await context.close()


def test_a_message_arrives_as_it_was_written(go: Any) -> None:
    async def body() -> Mailbox:
        async with mailbox() as (box, port):
            more = {"cc_addrs": "c@x.org, d@x.org", "bcc_addrs": ["b@x.org"], "reply_to": ["r@x.org"]}
            await send(port, subject="Störung", body="Zeile\n.\nEnde", html_body="<b>ü</b>", **more)
            return box

    box = go(body())
    (letter,) = box.letters
    assert box.recipients == ["you@x.org", "c@x.org", "d@x.org", "b@x.org"]
    assert (letter["Subject"], letter["To"], letter["Cc"]) == ("Störung", "you@x.org", "c@x.org, d@x.org")
    assert (letter["Reply-To"], letter["Bcc"], letter["Message-ID"]) == (
        "r@x.org",
        None,
        "<a-7@faultline.invalid>",
    )
    plain, rich = letter.iter_parts()
    assert plain.get_content() == "Zeile\n.\nEnde\n"
    assert rich.get_content().strip() == "<b>ü</b>"


def test_a_password_is_not_sent_in_the_clear(go: Any) -> None:
    async def body() -> Mailbox:
        async with mailbox() as (box, port):
            with pytest.raises(ActionFailed, match="only where the server encrypts") as failed:
                await send(port, smtp_password="hush-hush")
            assert "hush" not in str(failed.value)
            return box

    box = go(body())
    assert box.letters == []
    assert not any("AUTH" in line or "hush" in line for line in box.commands)


def test_a_password_is_sent_once_the_line_is_encrypted(
    go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = certified(tmp_path)

    async def body() -> Mailbox:
        async with mailbox() as (box, port):
            box.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            box.tls.load_cert_chain(certificate, key)
            # Nobody vouches for this server yet.
            with pytest.raises(ActionFailed, match="CERTIFICATE_VERIFY_FAILED"):
                await send(port, smtp_password="hush-hush")
            assert not any("AUTH" in line for line in box.commands)
            box.secured = False
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            await send(port, smtp_password="hush-hush", smtp_user="ops")
            return box

    box = go(body())
    assert len(box.letters) == 1
    said = next(line for line in box.commands if line.startswith("AUTH PLAIN "))
    assert base64.b64decode(said.split(" ")[2]) == b"\0ops\0hush-hush"


def certified(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.datetime.now(datetime.UTC)
    place = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(place, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (directory / "cert.pem").write_bytes(made.public_bytes(pem))
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (directory / "key.pem").write_bytes(key.private_bytes(pem, form, none))
    return directory / "cert.pem", directory / "key.pem"


def test_who_was_refused_is_said(go: Any) -> None:
    async def body() -> Mailbox:
        async with mailbox() as (box, port):
            with pytest.raises(ActionFailed, match="takes none of the recipients") as failed:
                await send(port, to_addrs=["nobody@x.org"])
            assert failed.value.details == {"refused": {"nobody@x.org": "550 unknown"}}
            with pytest.raises(ActionFailed, match="not to all") as failed:
                await send(port, to_addrs=["nobody@x.org", "you@x.org"])
            assert failed.value.details == {"refused": {"nobody@x.org": "550 unknown"}}
            return box

    assert go(body()).recipients == ["you@x.org"]


def test_what_goes_wrong_says_whether_it_may_have_been_sent(go: Any) -> None:
    async def body() -> None:
        async with mailbox() as (box, port):
            box.silent = True
            with pytest.raises(ActionFailed, match="outcome unknown"):
                await send(port, timeout=0.3)
            box.greeting = b"554 go away\r\n"
            with pytest.raises(ActionFailed, match="554 go away"):
                await send(port)
        with pytest.raises(ActionFailed) as failed:
            await send(port)
        assert "unknown" not in str(failed.value)

    go(body())


def test_a_mail_server_on_this_machine_must_be_allowed(go: Any) -> None:
    async def body() -> Mailbox:
        async with mailbox() as (box, port):
            for name in ("127.0.0.1", "localhost"):
                with pytest.raises(ActionFailed, match="http_allow"):
                    await send(port, allow=False, smtp_server=f"{name}:{port}")
            return box

    assert go(body()).commands == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"subject": "a\nBcc: all@x.org"}, "Subject"),
        ({"from_addr": "me@x.org\r\nX: y"}, "From"),
        ({"to_addrs": []}, "`to_addrs`"),
        ({"smtp_server": "host:smtp"}, "`smtp_server`"),
        ({"to": "x"}, "no input `to`"),
    ],
)
def test_wrong_input_is_named_and_nothing_is_sent(go: Any, given: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        go(send(1, **given))
