"""The two HTTP clients that Python programs use, against one URL: every line printed is a status and a body."""
import sys

import httpx
import requests

url = sys.argv[1]
with requests.Session() as session:
    for turn in range(5):
        answer = session.post(f"{url}/requests/{turn}", data=b"x" * 10_000)
        print(answer.status_code, answer.text.strip())
    answer = session.post(f"{url}/requests/chunked", data=iter([b"ab", b"cd"]))
    print(answer.status_code, answer.text.strip())
with httpx.Client() as client:
    for turn in range(5):
        answer = client.get(f"{url}/httpx/{turn}")
        print(answer.status_code, answer.text.strip())
