"""httpx over HTTP/2 against a server that echoes bodies and answers /together/ only when 50 such requests wait.

    httpx_client.py PORT AUTHORITY
"""
import asyncio
import ssl
import sys

import httpx

port, authority = sys.argv[1:]
CHUNK = bytes(range(256)) * 64


async def chunks():
    for _ in range(100):
        yield CHUNK
        await asyncio.sleep(0)


async def main():
    one = httpx.Limits(max_connections=1)
    options = {"http2": True, "http1": False, "trust_env": False, "limits": one, "timeout": 20}
    trust = ssl.create_default_context(cafile=authority)
    async with httpx.AsyncClient(base_url=f"https://localhost:{port}", verify=trust, **options) as client:
        answer = await client.get("/get")
        assert (answer.status_code, answer.http_version) == (200, "HTTP/2"), answer
        answer = await client.post("/post", data={"name": "value"})
        assert answer.text == "name=value", answer
        answer = await client.put("/upload", content=chunks())
        assert answer.content == CHUNK * 100, "a streamed upload came back whole"
        async with client.stream("POST", "/download", content=CHUNK * 100) as answer:
            sizes = [len(part) async for part in answer.aiter_raw()]
        assert sum(sizes) == 100 * len(CHUNK) and len(sizes) > 10, "a download comes as it goes"
        answers = await asyncio.gather(*[client.get(f"/together/{number}") for number in range(50)])
        assert [answer.text for answer in answers] == [f"/together/{number}" for number in range(50)]
        assert (await client.head("/head")).content == b""


asyncio.run(main())
