"""A peer of pycapnp: `peer.py serve ADDRESS REPORT` or `peer.py call ADDRESS REPORT`.

It writes a JSON line into REPORT for each call, as it saw the call itself.
"""

import asyncio
import json
import pathlib
import sys

import capnp

capnp.remove_import_hook()
desk = capnp.load(str(pathlib.Path(__file__).parent / "desk.capnp"))
report = None


def plain(value):
    """A value of pycapnp as JSON has it."""
    if isinstance(value, dict):
        return {name: plain(field) for name, field in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return list(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return "capability"


def note(call, params, key, results):
    line = {"call": call, "params": plain(params), key: plain(results)}
    report.write(json.dumps(line) + "\n")
    report.flush()


class Drawer(desk.Drawer.Server):
    def __init__(self):
        self.items = []

    async def put_context(self, context):
        self.items.append(context.params.item.as_builder())
        items = context.results.init("items", len(self.items))
        for at, item in enumerate(self.items):
            items[at] = item
        note("Drawer.put", context.params.to_dict(verbose=True), "results", context.results.to_dict(verbose=True))


class Watcher(desk.Watcher.Server):
    async def seen_context(self, context):
        context.results.ok = True
        note("Watcher.seen", context.params.to_dict(), "results", context.results.to_dict())


class Desk(desk.Desk.Server):
    async def describe_context(self, context):
        params, results = context.params, context.results
        results.text = f"{params.note} and {len(params.tags)} tags"
        results.sum = params.n - len(params.blob)
        results.half = params.ratio / 2
        results.yes = True
        note("Desk.describe", params.to_dict(), "results", results.to_dict())

    async def open_context(self, context):
        context.results.drawer = Drawer()
        note("Desk.open", context.params.to_dict(), "results", {"drawer": "capability"})

    async def watch_context(self, context):
        watcher = context.params.watcher
        for what in ("rain", "sun"):
            answer = await watcher.seen(what=what)
            note("Watcher.seen", {"what": what}, "results", answer.to_dict())
        context.results.count = 2
        note("Desk.watch", {"watcher": "capability"}, "results", context.results.to_dict())

    async def fail_context(self, context):
        why = f"refused: {context.params.why}"
        note("Desk.fail", context.params.to_dict(), "error", why)
        raise RuntimeError(why)


async def serve(address):
    async def met(stream):
        await capnp.TwoPartyServer(stream, bootstrap=Desk()).on_disconnect()

    if address.startswith("unix:"):
        server = await capnp.AsyncIoStream.create_unix_server(met, address.removeprefix("unix:"))
        port = 0
    else:
        host, _, port = address.rpartition(":")
        server = await capnp.AsyncIoStream.create_server(met, host, int(port))
        port = server.sockets[0].getsockname()[1]
    print("listening", port, flush=True)
    async with server:
        await server.serve_forever()


async def call(address):
    if address.startswith("unix:"):
        stream = await capnp.AsyncIoStream.create_unix_connection(address.removeprefix("unix:"))
    else:
        host, _, port = address.rpartition(":")
        stream = await capnp.AsyncIoStream.create_connection(host, int(port))
    client = capnp.TwoPartyClient(stream)
    main = client.bootstrap().cast_as(desk.Desk)

    # A parameter called `name` cannot be passed as an argument.
    request = main.open_request()
    request.name = "upper"
    opening = request.send()
    item = {"id": 7, "name": "pen", "colour": "blue", "weight": -3}
    # Pipelined: the drawer is not there yet.
    putting = opening.drawer.put(item=item)
    opened = await opening
    note("Desk.open", {"name": "upper"}, "results", {"drawer": "capability"})
    note("Drawer.put", {"item": item}, "results", (await putting).to_dict(verbose=True))

    params = {
        "n": -12,
        "big": 2**64 - 1,
        "note": 'a "quoted" né',
        "blob": bytes(at % 256 for at in range(300)),
        "tags": ["x", "y"],
        "ratio": 0.1,
    }
    note("Desk.describe", params, "results", (await main.describe(**params)).to_dict())

    watched = await main.watch(watcher=Watcher())
    note("Desk.watch", {"watcher": "capability"}, "results", watched.to_dict())

    try:
        await main.fail(why="it is Sunday")
    except capnp.KjException as error:
        note("Desk.fail", {"why": "it is Sunday"}, "error", error.description)

    parts = [
        {"id": 1, "name": "lid", "colour": "red", "none": None},
        {"id": 2, "name": "base", "colour": "red", "none": None},
    ]
    box = {"id": 40000, "name": "box", "colour": "green", "parts": parts}
    note("Drawer.put", {"item": box}, "results", (await opened.drawer.put(item=box)).to_dict(verbose=True))


def main():
    global report
    _, role, address, path = sys.argv
    with open(path, "w", encoding="utf-8") as report:
        asyncio.run(capnp.run((serve if role == "serve" else call)(address)))


main()
