"""Python's websockets against the echo server at argv[1]; the messages come as JSON on standard input.

Prints what it heard as JSON: binary as hexadecimal. Compression is offered, as it is by default.
"""

import asyncio
import json
import sys

import websockets


async def talk(url, texts, binaries, many):
    async with websockets.connect(url) as socket:
        answer = getattr(socket, "response_headers", None) or socket.response.headers
        heard = {"texts": [], "binaries": [], "extensions": answer.get("Sec-WebSocket-Extensions")}
        for text in texts:
            await socket.send(text)
            heard["texts"].append(await socket.recv())
        for data in binaries:
            await socket.send(bytes.fromhex(data))
            heard["binaries"].append((await socket.recv()).hex())

        await socket.send(["one ", "two ", "three"])
        heard["fragments"] = await socket.recv()

        for text in many:
            await socket.send(text)
        heard["many"] = [await socket.recv() for _ in many]

        pong = await socket.ping(b"are you there")
        await pong
        heard["pong"] = True

        await socket.close(4321, "enough for today")
        heard["close"] = socket.close_code
        return heard


print(json.dumps(asyncio.run(talk(sys.argv[1], **json.load(sys.stdin)))))
