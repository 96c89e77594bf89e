"""A tiny run and dunlin serve on it, for tests from outside on loopback."""

import http.client
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

dunlin, fixtures = sys.argv[1:3]
device = os.environ.get("DUNLIN_TEST_DEVICE", "cpu")
WAIT = 120  # seconds until something is taken for hung; nothing is measured
failures = 0
begun = []  # servers

CONFIG = f"""[device]
use = {device}
[model]
path = {fixtures}/tiny-a.gguf
[data]
train = data.tsv
valid = data.tsv
[prompt]
init = vocab
[train]
epochs = 1
"""


def check(right, what):
    global failures
    if not right:
        failures += 1
        print(f"FAILED: {what}", flush=True)


def run(tests):
    """Calls `tests` in a folder of its own; ends the program with 1 when a check failed. No server is left."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            tests()
        finally:
            os.chdir("/")
            for process in begun:
                process.kill()  # what has ended hears nothing
    if failures:
        sys.exit(1)
    print("all as expected")


def wait_for(what, found):
    """Nothing is measured: what has to come must come at all."""
    for _ in range(WAIT * 20):
        if found():
            return
        time.sleep(0.05)
    check(False, f"{what}: not in {WAIT} s")


def unread(port, clients):
    """Those of these connections over IPv4 to a port of this machine that nobody has taken there, or on whose way there is
    something that nobody has read."""
    waiting = {client.getsockname()[1] for client in clients}
    ends = {}
    with open("/proc/net/tcp", encoding="ascii") as file:
        for fields in [line.split() for line in file][1:]:
            here, there = (int(fields[i].split(":")[1], 16) for i in (1, 2))
            sent, come = (int(part, 16) for part in fields[4].split(":"))
            ends[here, there] = sent == 0 if there == port else come == 0 and fields[9] != "0"
    return [own for own in waiting if not (ends.get((own, port)) and ends.get((port, own)))]


def make_run():
    """Trains `run`, from tiny.ini and data.tsv, in the current folder."""
    with open("data.tsv", "w", encoding="utf-8") as file:
        for i in range(6):
            file.write(f"then the inn {i}\tno\nqqzz qz xx{i}\tyes\n")
    with open("tiny.ini", "w", encoding="utf-8") as file:
        file.write(CONFIG)
    subprocess.run([dunlin, "train", "tiny.ini", "--out", "run", "--quiet"], check=True, stdout=subprocess.DEVNULL)


class Server:
    """dunlin serve on a port that the system chose."""

    def __init__(self, *options, fail_at=0, before=(), files=None):
        """`before`: words of the command line before dunlin's; `files`: the limit of open files."""
        environment = dict(os.environ, DUNLIN_FAIL_AT=str(fail_at))
        limit = files and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)))
        self.process = subprocess.Popen([*before, dunlin, "serve", "run", "--port", "0", *options],
                                        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
                                        preexec_fn=limit)
        begun.append(self.process)
        self.said = ""
        self.port = None
        for line in self.process.stderr:
            self.said += line
            found = re.search(r"serving +http://.*:(\d+)/", line)
            if found:
                self.port = int(found[1])
                return
        if not fail_at:
            sys.exit(f"serve did not start:\n{self.said}")

    def ask(self, method, path, body=None, headers=None):
        """(status, headers, body) of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            connection.close()

    def has_read(self, *clients):
        """Waits until what these connections have sent is read: until requests with a part of a body have begun."""
        wait_for("what clients have sent is read", lambda: not unread(self.port, clients))

    def classify(self, document):
        status, _, body = self.ask("POST", "/classify", json.dumps(document).encode())
        check(status == 200, f"status {status} for {str(document)[:80]}")
        return json.loads(body)

    def end(self, which=signal.SIGTERM):
        self.process.send_signal(which)
        out, err = self.process.communicate(timeout=WAIT)
        check(out == "", f"serve wrote to stdout: {out[:80]}")
        check(self.process.returncode == 0, f"serve ended with {self.process.returncode}: {err[-400:]}")


def expected(texts):
    """What classify says of the texts."""
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    result = subprocess.run([dunlin, "classify", "run", "--json", "--input", "jsonl"], input=lines.encode(),
                            stdout=subprocess.PIPE, check=True)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    for answer in answers:
        del answer["text"]
    return answers
