"""An FTP server for the specs: pyftpdlib on a free port.

    ftp_server.py DIRECTORY [ADDRESS [WITHOUT...]]

Prints its port. Serves DIRECTORY to anonymous users and to "ann" with the password "secret word", on 127.0.0.1 or
ADDRESS. Does not know the commands WITHOUT, as old servers do not know EPSV.
"""

import logging
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

directory = sys.argv[1]
address = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"

logging.basicConfig(level=logging.CRITICAL)

everything = "elradfmwMT"
authorizer = DummyAuthorizer()
authorizer.add_user("ann", "secret word", directory, perm=everything)
authorizer.add_anonymous(directory, perm="elr")
# The account that LuaSocket, and so cosock, takes for anonymous.
authorizer.add_user("ftp", "anonymous@anonymous.org", directory, perm="elr")


class Handler(FTPHandler):
    # So long that the greeting has several lines.
    banner = "This server is here for tests, and its greeting is long, because clients have to read all of it."
    # Who gives a wrong password is told at once.
    auth_failed_timeout = 0
    proto_cmds = {name: value for name, value in FTPHandler.proto_cmds.items() if name not in sys.argv[3:]}


Handler.authorizer = authorizer
server = FTPServer((address, 0), Handler)
print("port", server.address[1], flush=True)
server.serve_forever()
