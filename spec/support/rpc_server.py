"""XML-RPC at /RPC2 and SOAP at /soap, on a port of 127.0.0.1 that is free: rpc_server.py DIRECTORY CLIENTS

The method `meet` answers when so many clients have called it: a client that keeps the others from calling gets no
answer. Every request has a thread of its own.
"""

import sys
import threading
import xml.etree.ElementTree as ElementTree
from socketserver import ThreadingMixIn
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
PATIENCE = 30  # seconds for the others to come

barrier = threading.Barrier(int(sys.argv[2]))


def add(*numbers):
    return sum(numbers)


def describe(value):
    return {"kind": type(value).__name__, "value": value}


def meet(number):
    barrier.wait(PATIENCE)
    return number


def fail():
    raise ValueError("as you wished")


METHODS = {"add": add, "describe": describe, "meet": meet, "fail": fail}


class Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/RPC2",)
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        if self.path == "/soap":
            self.soap()
        else:
            super().do_POST()

    def soap(self):
        """Calls the method that the body's first element names, with what its elements hold."""
        request = self.rfile.read(int(self.headers["content-length"]))
        call = ElementTree.fromstring(request).find("{%s}Body" % ENVELOPE)[0]
        namespace, name = call.tag[1:].split("}") if call.tag[0] == "{" else ("", call.tag)
        envelope = ElementTree.Element("{%s}Envelope" % ENVELOPE)
        body = ElementTree.SubElement(envelope, "{%s}Body" % ENVELOPE)
        try:
            result = METHODS[name](*[int(argument.text) for argument in call])
            response = ElementTree.SubElement(body, "{%s}%sResponse" % (namespace, name))
            ElementTree.SubElement(response, "result").text = str(result)
        except Exception as error:
            fault = ElementTree.SubElement(body, "{%s}Fault" % ENVELOPE)
            ElementTree.SubElement(fault, "faultcode").text = "Server"
            ElementTree.SubElement(fault, "faultstring").text = str(error)
        reply = ElementTree.tostring(envelope)
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)


class Server(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Handler, logRequests=False, allow_none=True)
for name, method in METHODS.items():
    server.register_function(method, name)
print("port\t%d" % server.server_address[1], flush=True)
server.serve_forever()
