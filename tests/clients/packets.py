"""Says every packet of the network it runs in, one JSON object a line, until its input ends.

A raw socket sees all interfaces, the loopback one too. Only what a firewall would know of a packet is said.
"""

import json
import selectors
import socket
import struct
import sys

EVERY, ARP, IPV4 = 0x0003, 0x0806, 0x0800
OUTGOING = 4
PORTS = {6: "tcp", 17: "udp"}


def read(packet: bytes, place: tuple) -> dict:
    interface, protocol, direction = place[:3]
    said = {"interface": interface, "leaves": direction == OUTGOING, "kind": hex(protocol)}
    if protocol == ARP:
        said["kind"] = "arp"
    # An Ethernet header comes first, on the loopback interface as well.
    ip = packet[14:]
    if protocol == IPV4 and len(ip) >= 20:
        length = (ip[0] & 15) * 4
        said |= {"kind": PORTS.get(ip[9], f"ip {ip[9]}"), "from": socket.inet_ntoa(ip[12:16]), "to": socket.inet_ntoa(ip[16:20])}
        if ip[9] in PORTS and len(ip) >= length + 4:
            said["source"], said["target"] = struct.unpack("!HH", ip[length : length + 4])
    return said


def main() -> None:
    watching = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY))
    watching.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
    watching.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(watching, selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    print("watching", flush=True)
    ending = False
    while True:
        ready = selector.select(0 if ending else None)
        if any(key.fileobj is sys.stdin for key, _ in ready) and not sys.stdin.read(1):
            selector.unregister(sys.stdin)
            ending = True
        try:
            while True:
                print(json.dumps(read(*watching.recvfrom(128))))
        except BlockingIOError:
            if ending:
                return


if __name__ == "__main__":
    main()
