"""A name server on 127.0.0.1: NAME of the command line is at 127.0.0.1, and all others are unknown."""
import socket
import struct
import sys

TYPE_A = 1
NXDOMAIN = 3

known = sys.argv[1]
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    query, client = server.recvfrom(512)
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    question = query[12 : at + 5]
    is_known = ".".join(labels).lower() == known
    answers = is_known and question[-4:-2] == struct.pack("!H", TYPE_A)
    flags = 0x8180 | (0 if is_known else NXDOMAIN)
    reply = query[:2] + struct.pack("!HHHHH", flags, 1, answers, 0, 0) + question
    if answers:
        reply += struct.pack("!HHHIH", 0xC00C, TYPE_A, 1, 60, 4) + socket.inet_aton("127.0.0.1")
    server.sendto(reply, client)
