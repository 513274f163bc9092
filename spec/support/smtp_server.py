"""An SMTP server for the specs: aiosmtpd on a free port of 127.0.0.1.

    smtp_server.py DIRECTORY [--tls=CERTIFICATES] [MECHANISM...]

Prints its port, and a line for each mail that it accepts, which it writes to DIRECTORY/NUMBER.eml. Knows the user
"ann" with the password "secret word", by the MECHANISMs given or else by LOGIN and PLAIN. Speaks TLS from the first byte on if there is a folder of
CERTIFICATES. Refuses mail to
"nobody@...", and mail that says "refuse this".
"""

import asyncio
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

directory = pathlib.Path(sys.argv[1])
certificates = [word.split("=")[1] for word in sys.argv[2:] if word.startswith("--tls=")]
mechanisms = set(sys.argv[2 + len(certificates) :] or ["LOGIN", "PLAIN"])
context = None
if certificates:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates[0] + "/server.pem", certificates[0] + "/server.key")


def say(*words):
    print(*words, sep="\t", flush=True)


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"ann", b"secret word")
    return AuthResult(success=good, handled=False, auth_data=mechanism)


class Handler:
    count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 nobody is here"
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server, session, envelope):
        if b"refuse this" in envelope.content:
            return "554 as you wish"
        self.count += 1
        number = self.count
        (directory / f"{number}.eml").write_bytes(envelope.content)
        say("mail", number, envelope.mail_from, ",".join(envelope.rcpt_tos), session.auth_data, session.host_name)
        return "250 taken"


async def main():
    handler = Handler()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(
            handler,
            hostname="mail.example.org",
            authenticator=authenticate,
            auth_require_tls=False,
            auth_exclude_mechanism={"LOGIN", "PLAIN"} - mechanisms,
        ),
        "127.0.0.1",
        0,
        ssl=context,
    )
    say("port", server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
