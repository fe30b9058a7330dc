"""Compares what `wavetank decode` makes of captured sessions with what the peers themselves report.

check.py WAVETANK PEER_CPP FOLDER: WAVETANK is the command, PEER_CPP the built peer of C++, FOLDER one for files.
Every pair of implementations talks over a unix socket and over TCP, through a relay that keeps the bytes.
"""

import base64
import json
import os
import pathlib
import random
import socket
import struct
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).parent
RPC = "rpc.capnp"
TIMEOUT_S = 60


class Relay:
    """Stands between a client and a server, and keeps what passes, in order."""

    def __init__(self, address, target):
        self.chunks = []
        self.lock = threading.Lock()
        self.listener = listen(address)
        self.target = target
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def address(self):
        name = self.listener.getsockname()
        return f"unix:{name}" if isinstance(name, str) else f"{name[0]}:{name[1]}"

    def run(self):
        client, _ = self.listener.accept()
        server = connect(self.target)
        ways = [(client, server, 0), (server, client, 1)]
        threads = [threading.Thread(target=self.pass_on, args=way) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.close()
        server.close()
        self.listener.close()

    def pass_on(self, source, sink, way):
        while chunk := receive(source):
            with self.lock:
                self.chunks.append((way, chunk))
            try:
                sink.sendall(chunk)
            except OSError:
                break
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def bytes(self, way):
        return b"".join(chunk for of, chunk in self.chunks if of == way)


def receive(source):
    try:
        return source.recv(65536)
    except OSError:
        return b""


def listen(address):
    if address.startswith("unix:"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address.removeprefix("unix:"))
    else:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def connect(address):
    if address.startswith("unix:"):
        stream = socket.socket(socket.AF_UNIX)
        stream.connect(address.removeprefix("unix:"))
        return stream
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)))


def session(client, server, transport, folder):
    """Lets two peers talk, and returns the relay and the reports of both."""
    folder.mkdir(parents=True)
    is_unix = transport == "unix"
    address = f"unix:{folder}/server" if is_unix else "127.0.0.1:0"
    reports = [folder / "client.jsonl", folder / "server.jsonl"]
    serving = subprocess.Popen([*server, "serve", address, reports[1]], stdout=subprocess.PIPE, text=True)
    try:
        port = serving.stdout.readline().split()[1]
        target = address if is_unix else f"127.0.0.1:{port}"
        relay = Relay(f"unix:{folder}/relay" if is_unix else "127.0.0.1:0", target)
        subprocess.run([*client, "call", relay.address(), reports[0]], check=True, timeout=TIMEOUT_S)
        relay.thread.join(TIMEOUT_S)
    finally:
        serving.kill()
        serving.wait()
    return relay, [[json.loads(line) for line in open(path, encoding="utf-8")] for path in reports]


def decode(wavetank, schema, *args):
    command = [wavetank, "decode", "--schema", schema, "--format", "json", *args]
    done = subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8")
    heading, *messages = [json.loads(line) for line in done.stdout.splitlines()]
    return heading["session"], messages


def plain(value, name=""):
    """A value of a report or of `wavetank decode` in one form. JSON of C++ writes 64-bit numbers as text."""
    if isinstance(value, dict):
        if "base64" in value:
            return list(base64.b64decode(value["base64"]))
        if "capability" in value:
            return "capability"
        # A member without a value tells nothing beside its name.
        return {key: plain(field, key) for key, field in value.items()}
    if isinstance(value, list):
        return [plain(one, name) for one in value]
    if isinstance(value, str) and name in ("big", "sum"):
        return int(value)
    return value


def calls(messages, sender):
    """The calls of a side in the order in which it asked, in the form of the reports."""
    answers = {m["question"]: m for m in messages if m["kind"] == "return"}
    found = []
    for message in messages:
        if message["kind"] != "call" or message["from"] != sender:
            continue
        answer = answers[message["question"]]
        assert answer["from"] != sender and answer["method"] == message["method"], answer
        call = {"call": message["method"], "params": plain(message["params"])}
        if "results" in answer:
            call["results"] = plain(answer["results"])
        else:
            call["error"] = answer["message"]["return"]["exception"]["reason"]
        found.append(call)
    return found


def in_one_order(reported):
    """Calls in an order that does not depend on who reported first."""
    return sorted(reported, key=lambda call: (call["call"], json.dumps(call["params"], sort_keys=True)))


def compare(decoded, reported, who):
    decoded, reported = in_one_order(decoded), in_one_order([plain(call) for call in reported])
    assert len(decoded) == len(reported) > 0, (who, decoded, reported)
    for ours, theirs in zip(decoded, reported):
        if "error" in theirs:
            # Each implementation adds words of its own around the reason.
            assert "refused: it is Sunday" in ours.pop("error") and "refused: it is Sunday" in theirs.pop("error")
        assert ours == theirs, f"{who}:\nwavetank {ours}\npeer     {theirs}"


def kinds(rpc, stream):
    """The kinds of the messages of a stream, as the tool of C++ decodes them."""
    done = subprocess.run(
        ["capnp", "decode", "--short", rpc, "Message"], input=stream, check=True, capture_output=True
    )
    return [line.split("=")[0].strip("( ") for line in done.stdout.decode().splitlines()]


def check(messages, relay, reports, rpc):
    client = [call for call in reports[0] if call["call"] != "Watcher.seen"]
    watcher = [call for call in reports[0] if call["call"] == "Watcher.seen"]
    compare(calls(messages, "client"), client, "client")
    compare(calls(messages, "server"), watcher, "the client's watcher")
    served = [call for call in reports[1] if call["call"] != "Watcher.seen"]
    compare(calls(messages, "client"), served, "server")
    asked = [call for call in reports[1] if call["call"] == "Watcher.seen"]
    compare(calls(messages, "server"), asked, "what the server asked the watcher")
    for way, name in enumerate(("client", "server")):
        of_side = [message["kind"] for message in messages if message["from"] == name]
        assert of_side == kinds(rpc, relay.bytes(way)), (name, of_side)


def pcap(path, chunks, is_v6):
    """Writes a capture of a TCP connection: small segments, some twice, some late, the numbers about to wrap."""
    draw = random.Random(1)
    ports, firsts = (40000, 4711), [2**32 - 50, 2**31]
    sent = [0, 0]
    packets = []

    def segment(way, offset, payload, flags):
        number = (firsts[way] + offset) % 2**32
        tcp = struct.pack(">HHIIBBHHH", ports[way], ports[1 - way], number, 0, 5 << 4, flags, 1024, 0, 0)
        length = len(tcp) + len(payload)
        if is_v6:
            hosts = [bytes(15) + bytes([1 + side]) for side in (way, 1 - way)]
            ip = struct.pack(">IHBB", 6 << 28, length, 6, 64) + hosts[0] + hosts[1]
            return b"\x86\xdd", ip + tcp + payload
        hosts = [bytes([10, 0, 0, 1 + side]) for side in (way, 1 - way)]
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 6, 0) + hosts[0] + hosts[1]
        return b"\x08\x00", ip + tcp + payload

    packets.append(segment(0, -1, b"", 2))
    packets.append(segment(1, -1, b"", 18))
    for way, chunk in chunks:
        parts = []
        for at in range(0, len(chunk), 97):
            parts.append(segment(way, sent[way] + at, chunk[at : at + 97], 24))
            if draw.random() < 0.2:
                # Sent again, and longer.
                parts.append(segment(way, sent[way] + at, chunk[at : at + 120], 24))
        draw.shuffle(parts)
        packets.extend(parts)
        sent[way] += len(chunk)
    with open(path, "wb") as file:
        # Linux cooked for one family, Ethernet for the other; microseconds.
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 113 if is_v6 else 1))
        for at, (kind, packet) in enumerate(packets):
            link = bytes(14) + kind if is_v6 else bytes(12) + kind
            file.write(struct.pack("<IIII", 1, at, len(link + packet), len(link + packet)) + link + packet)


def main():
    wavetank, peer_cpp, folder = sys.argv[1:]
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    schema = folder / "desk.cgr"
    with open(schema, "wb") as file:
        subprocess.run(["capnp", "compile", "-o-", HERE / "desk.capnp"], check=True, stdout=file)
    rpc = folder / RPC
    # The schema of the protocol that pycapnp brings is newer than Debian's.
    import capnp

    source = pathlib.Path(capnp.__file__).parent / RPC
    rpc.write_bytes(source.read_bytes())
    peers = {"cpp": [peer_cpp], "py": [sys.executable, str(HERE / "peer.py")]}
    sessions = 0
    for transport in ("unix", "tcp"):
        for client, server in [(client, server) for client in peers for server in peers]:
            name = f"{client}-{server}-{transport}"
            relay, reports = session(peers[client], peers[server], transport, folder / name)
            files = [folder / name / "c2s.bin", folder / name / "s2c.bin"]
            for way, path in enumerate(files):
                path.write_bytes(relay.bytes(way))
            both = ["--client", files[0], "--server", files[1]]
            heading, messages = decode(wavetank, schema, *both)
            assert heading["order"] == "causal" and not heading["client"]["packed"], heading
            check(messages, relay, reports, rpc)
            # Packed by the library of C++.
            for path in files:
                packed = subprocess.run([peer_cpp, "pack"], input=path.read_bytes(), check=True, capture_output=True)
                path.with_suffix(".packed").write_bytes(packed.stdout)
            both = ["--client", files[0].with_suffix(".packed"), "--server", files[1].with_suffix(".packed")]
            heading, messages = decode(wavetank, schema, *both)
            assert heading["client"]["packed"] and heading["server"]["packed"], heading
            check(messages, relay, reports, rpc)
            for is_v6 in (False, True):
                path = folder / name / f"v{6 if is_v6 else 4}.pcap"
                pcap(path, relay.chunks, is_v6)
                heading, messages = decode(wavetank, schema, "--pcap", path)
                assert heading["order"] == "captured", heading
                check(messages, relay, reports, rpc)
            sessions += 1
            print(f"{name}: {len(messages)} messages, {sum(map(len, reports))} reported calls, the same")
    assert sessions == 8


main()
