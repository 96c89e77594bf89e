#!/usr/bin/env python3
"""Opens pages that dunlin wrote in headless Chromium, as a person would: clicks through scatter, toggles, list and
animation. Fails on what does not answer, and on any console message of an error.

report_browser.py CHROMIUM FOLDER REPORT BOIDS BOTH UNMEASURED DEVICES CURVE SERVED [SCREENSHOTS]

Speaks the DevTools protocol over the pipes that --remote-debugging-pipe reads, so that no port is opened.
"""
import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import time

LIMIT_SECONDS = 60  # a hang, not a measurement


def middle(selector):
    """The middle of an element, which is brought into view."""
    return f"""(() => {{ const e = document.querySelector({json.dumps(selector)});
        e.scrollIntoView({{block: "center"}}); const b = e.getBoundingClientRect();
        return [b.x + b.width / 2, b.y + b.height / 2]; }})()"""


class Browser:
    def __init__(self, program, profile):
        from_us, self.out = os.pipe()
        self.into, to_us = os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
                 "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
                 "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        shell = 'in=$1; out=$2; shift 2; eval "exec 3<&$in 4>&$out"; exec "$@"'
        self.log = open(profile + ".log", "wb")
        self.process = subprocess.Popen(["bash", "-c", shell, "bash", str(from_us), str(to_us), program] + flags,
                                        pass_fds=(from_us, to_us), stdout=self.log, stderr=self.log)
        os.close(from_us)
        os.close(to_us)
        self.buffer, self.next_id, self.session, self.problems = b"", 0, None, []
        self.allowed = ("file:", "data:")
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def read(self):
        end = time.monotonic() + LIMIT_SECONDS
        while b"\0" not in self.buffer:
            if not select.select([self.into], [], [], max(0, end - time.monotonic()))[0]:
                raise SystemExit("the browser does not answer")
            piece = os.read(self.into, 1 << 20)
            if not piece:
                raise SystemExit("the browser left")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(message)
        method, details = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.problems.append(details["exceptionDetails"].get("exception", {}).get("description", "exception"))
        elif method == "Runtime.consoleAPICalled" and details["type"] in ("error", "warning", "assert"):
            self.problems.append("console: " + json.dumps(details["args"])[:300])
        elif method == "Log.entryAdded" and details["entry"]["level"] in ("error", "warning"):
            self.problems.append("log: " + details["entry"]["text"][:300])
        elif method == "Network.requestWillBeSent":
            if not details["request"]["url"].startswith(self.allowed):
                self.problems.append("network: " + details["request"]["url"][:300])
        return message

    def call(self, method, **parameters):
        self.next_id += 1
        message = {"id": self.next_id, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.next_id:
                if "error" in answer:
                    raise SystemExit(f"{method}: {answer['error']}")
                return answer["result"]

    def run(self, script):
        """The value of an expression; a promise is waited for."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise SystemExit(f"{script}: {result['exceptionDetails']['exception'].get('description')}")
        return result["result"].get("value")

    def open(self, path, width=1200, height=900, dark=False, touch=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=touch)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url=pathlib.Path(path).resolve().as_uri())
        self.wait("document.readyState === 'complete' && !!window.dunlin")
        self.frames()

    def wait(self, condition):
        end = time.monotonic() + LIMIT_SECONDS
        while not self.run(condition):
            if time.monotonic() > end:
                raise SystemExit("never true: " + condition)

    def frames(self, n=3):
        self.run(f"new Promise((done) => {{ let n = {n}; const f = () => (n-- ? requestAnimationFrame(f) : done(1)); f(); }})")

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, selector):
        x, y = self.run(middle(selector))
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", clickCount=1)
        self.mouse("mouseReleased", x, y, button="left", clickCount=1)
        self.frames()

    def close(self):
        self.session = None
        self.call("Browser.close")
        self.process.wait(LIMIT_SECONDS)


def check(browser, condition, what):
    if not browser.run(condition):
        raise SystemExit(f"{what}: not so: {condition}")


def picture(browser, selector):
    """What a canvas shows, as a number that changes with it."""
    return browser.run(f"document.querySelector({json.dumps(selector)}).toDataURL()")


def differs(browser, selector, before, what):
    if picture(browser, selector) == before:
        raise SystemExit(what + ": the picture stays the same")


def check_map(browser):
    browser.run("document.querySelector('#scatter').scrollIntoView({block: 'center'})")
    browser.frames()
    place = """(() => { const m = dunlin.map, b = m.view.canvas.getBoundingClientRect(), i = m.order[m.order.length - 1];
        return [b.x + m.view.x(m.p.x[i]), b.y + m.view.y(m.p.y[i])]; })()"""
    before = picture(browser, "#scatter")
    browser.mouse("mouseMoved", *browser.run(place))
    browser.frames()
    check(browser, "dunlin.map.picked >= 0", "pointing at a point picks it")
    check(browser, "document.querySelector('#card .text').textContent === dunlin.map.p.text[dunlin.map.picked]", "its text is shown")
    check(browser, "document.querySelectorAll('#card tbody tr').length >= 2", "its distances are shown")
    differs(browser, "#scatter", before, "pointing")
    before = picture(browser, "#scatter")
    browser.click("#texts .legend button")
    check(browser, "dunlin.map.hidden.size === 1", "a class goes")
    differs(browser, "#scatter", before, "hiding a class")
    browser.click("#texts .legend button")
    check(browser, "dunlin.map.hidden.size === 0", "the class is back")
    before = picture(browser, "#scatter")
    browser.click("#only-wrong")
    differs(browser, "#scatter", before, "only wrong ones")
    browser.click("#only-wrong")
    before = picture(browser, "#scatter")
    browser.click("#texts .corner button")
    check(browser, "dunlin.map.view.scale > 1", "the button zooms")
    differs(browser, "#scatter", before, "zooming")
    x, y = browser.run("(() => { const b = document.querySelector('#scatter').getBoundingClientRect(); return [b.x + 50, b.y + 60]; })()")
    browser.mouse("mousePressed", x, y, button="left", clickCount=1)
    browser.mouse("mouseMoved", x + 40, y + 10, button="left", buttons=1)
    browser.mouse("mouseReleased", x + 40, y + 10, button="left", clickCount=1)
    browser.frames()
    check(browser, "dunlin.map.view.shiftX !== 0", "dragging moves")
    scale = browser.run("dunlin.map.view.scale")
    browser.run("document.querySelector('#scatter').focus({preventScroll: true})")
    browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-200)
    browser.frames()
    check(browser, f"dunlin.map.view.scale > {scale}", "the wheel zooms")
    browser.click("#texts .corner button:nth-child(3)")
    check(browser, "dunlin.map.view.scale === 1", "everything is shown again")
    if browser.run("!!document.querySelector('#wrong tbody tr')"):
        browser.click("#wrong tbody tr")
        check(browser, "dunlin.map.wrong[dunlin.map.picked]", "a line of the list picks its point")
        check(browser, "!!document.querySelector('#wrong tr.chosen')", "and is marked")


def check_player(browser, canvas, name):
    browser.run(f"document.querySelector('{canvas}').scrollIntoView({{block: 'center'}})")
    browser.run("dunlin.player.go(0)")
    browser.frames()
    before = picture(browser, canvas)
    browser.click(".player .play")
    check(browser, "dunlin.player.playing || dunlin.player.position === dunlin.player.n - 1", name + " plays")
    browser.wait("dunlin.player.position > 1")
    browser.run("dunlin.player.pause()")
    browser.frames()
    differs(browser, canvas, before, "playing " + name)
    before = picture(browser, canvas)
    browser.run("""(() => { const s = document.querySelector('.player input'); s.value = 0.5;
        s.dispatchEvent(new Event('input')); })()""")
    browser.frames()
    check(browser, "Math.abs(dunlin.player.position - 0.5) < 0.01", name + " is scrubbed")
    differs(browser, canvas, before, "scrubbing " + name)


def check_served(browser, address):
    """The page of dunlin serve: a sentence a line in, an answer each out, none of them markup."""
    browser.allowed += (address,)
    browser.call("Page.navigate", url=address)
    browser.wait("document.readyState === 'complete' && !!document.querySelector('form button')")
    check_served_map(browser)
    browser.click("#text")
    browser.call("Input.insertText", text="then the inn\n\n<b>bold</b><img src=x onerror='window.broken = 1'>\n\U0001F600 \u05e9")
    browser.click("form button")
    browser.wait("document.querySelectorAll('#answers article').length === 3")
    check(browser, "document.querySelector('#answers article p').textContent === 'then the inn'", "the text is shown")
    check(browser, "/confidence [01]\\.\\d/.test(document.querySelector('#answers article .near').textContent)", "its answer")
    check(browser, "document.querySelectorAll('#answers article:first-child dt').length === 2", "a distance for each class")
    check(browser, "[...document.querySelectorAll('#answers dd:not(.bar)')].some((d) => d.textContent.startsWith('-'))", "a distance below 0, by label words")
    check(browser, """[...document.querySelectorAll('#answers article')].every((a) => {
        const bars = [...a.querySelectorAll('.bar')].map((b) => parseFloat(b.style.width));
        const all = [...a.querySelectorAll('dd:not(.bar)')].map((d) => parseFloat(d.textContent));
        return bars.every((w) => w >= 0 && w <= 100) && (all[0] < all[1]) === (bars[0] < bars[1]); })""", "bars as long as distances say")
    check(browser, "!document.querySelector('b, img') && !window.broken", "no text became markup")
    browser.call("Input.insertText", text="x".join(str(i) for i in range(2000)))
    browser.run("document.querySelector('form').requestSubmit()")
    browser.wait("!!document.querySelector('#error').textContent")
    check(browser, "/large|long|limit|most/.test(document.querySelector('#error').textContent)", "what is too much is said")
    check(browser, "document.querySelectorAll('#answers article').length === 3", "and the answers stay")
    check_width(browser, "the page of serve")


def check_devices(browser):
    """The table of devices: what is shown, sorted, filtered, opened; that what is wrong is never ranked."""
    files = "[...document.querySelectorAll('#devices tbody tr.pick')].map((r) => r.querySelector('td:nth-child(2) .text').textContent.slice(0, 9))"
    places = "[...document.querySelectorAll('#devices tbody tr.pick')].map((r) => r.cells[0].textContent).join()"
    fast = "</script>"
    check(browser, "!document.querySelector('b, img') && !window.broken", "no text became markup")
    check(browser, "document.querySelectorAll('#devices tbody tr').length === 4 && /^4 of 5 results; 1 within 15 %/.test(document.querySelector('.note').textContent)", "one of two alike")
    check(browser, f"{places} === '1,2,3,–'", "what is wrong has no place")
    check(browser, f"{files}[0] === {json.dumps(fast)} && {files}[3] === 'wrong one'", "the fastest first, the wrong one last")
    check(browser, "/own build/.test(document.querySelector('#devices tr.off').textContent) && /wrong: loss of step 4/.test(document.querySelector('#devices tr.off').textContent)", "its marks")
    check(browser, "document.querySelectorAll('#devices tbody td .note').length >= 3 && /% from another result/.test(document.querySelector('#devices').textContent)", "two results of one device that differ are both there")
    browser.click("#by-job")
    check(browser, f"{files}[0] === {json.dumps(fast)} && {places} === '1,2,3,–'", "sorted by the job, the shortest first")
    browser.click("#by-job")
    check(browser, f"{files}[2] === {json.dumps(fast)} && {files}[3] === 'wrong one'", "and the other way round")
    browser.click("#by-energy")
    check(browser, f"{files}[0] === {json.dumps(fast)}", "by energy, those without it behind")
    widths = browser.run("[...document.querySelectorAll('#devices tbody tr:first-child .log i')].map((i) => parseFloat(i.style.width))")
    if len(widths) < 5 or not all(0 <= w <= 100 for w in widths):
        raise SystemExit(f"bars: {widths}")
    browser.click("#filter")
    browser.call("Input.insertText", text="Wrong one")
    browser.frames()
    check(browser, "document.querySelectorAll('#devices tbody tr').length === 1", "filtered")
    browser.run("(() => { const f = document.querySelector('#filter'); f.value = ''; f.dispatchEvent(new Event('input')); })()")
    browser.click("#devices tbody tr:first-child")
    check(browser, "!!document.querySelector('#devices .details .chart path') && /machine.processor/.test(document.querySelector('.details').textContent)", "a row opens")
    check(browser, "/energy.joules4 \\(3 to 5, 5 times\\)/.test(document.querySelector('.details').textContent)", "with the spread of figures")
    browser.click("#devices tbody tr:first-child")
    check(browser, "!document.querySelector('#devices .details')", "and closes")
    browser.run("(() => { const p = document.querySelector('#work'); p.value = 1; p.dispatchEvent(new Event('change')); })()")
    check(browser, "document.querySelectorAll('#devices tbody tr').length === 1", "another work")
    browser.run("(() => { const p = document.querySelector('#work'); p.value = 0; p.dispatchEvent(new Event('change')); })()")
    check_width(browser, "devices")


def check_inside(browser, selector, what):
    """A picture does not lie over what follows it."""
    check(browser, f"""(() => {{ const e = document.querySelector({json.dumps(selector)}), b = e.getBoundingClientRect();
        return e.querySelector('svg').getBoundingClientRect().bottom <= b.bottom + 1; }})()""", what + " keeps to its place")


def check_served_map(browser):
    """The map has the run's points, and the text that is typed moves on it."""
    browser.wait("!map.section.hidden && map.canvas.width > 0")
    check(browser, "map.data.x.length > 10 && map.data.label.length === map.data.x.length && map.data.cx.length === 2", "the points")
    check(browser, "document.querySelectorAll('#legend li').length === 2 && document.querySelector('#legend').textContent.includes('<b>no</b>')", "the classes")
    without = picture(browser, "#map canvas")
    browser.click("#text")
    browser.call("Input.insertText", text="then the inn")
    browser.wait("!!map.shown && !map.moving && !map.asking")
    check(browser, "map.shown.every(Number.isFinite)", "a place for the text")
    check(browser, "/confidence [01]/.test(document.querySelector('#now').textContent)", "what is said of it")
    differs(browser, "#map canvas", without, "typing")
    first, before = browser.run("map.target"), picture(browser, "#map canvas")
    browser.call("Input.insertText", text="\nqqzz qz xx qqzz")
    browser.wait(f"'' + map.target !== '{first[0]},{first[1]}' && '' + map.shown === '' + map.target && !map.moving")
    differs(browser, "#map canvas", before, "another line")
    check(browser, "document.querySelectorAll('#answers article').length === 0", "no answers without being asked")
    browser.run("(() => { const f = document.querySelector('#text'); f.value = ''; f.dispatchEvent(new Event('input')); })()")


def check_width(browser, what):
    check(browser, "document.documentElement.scrollWidth <= window.innerWidth", what + ": nothing is wider than the screen")


def main():
    program, folder, report, boids, both, unmeasured, devices, curve, served = sys.argv[1:10]
    shots = sys.argv[10] if len(sys.argv) > 10 else None
    profile = os.path.join(folder, "profile")
    browser = Browser(program, profile)

    def shot(name):
        if shots:
            data = browser.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
            pathlib.Path(shots, name + ".png").write_bytes(base64.b64decode(data))

    browser.open(report)
    check(browser, "/%.*held-out texts get the right class/.test(document.querySelector('#verdict').textContent)", "the verdict")
    check(browser, "document.querySelectorAll('.chart path').length >= 3", "curves")
    check(browser, "document.querySelectorAll('.confusion td').length === data.runs[0].classes.length ** 2", "the confusion matrix")
    check(browser, "!document.querySelector('b, i i, img, iframe, script[src]') && !window.broken", "no text became markup")
    check(browser, "document.querySelectorAll('#calibration svg circle').length >= 2", "the reliability diagram")
    check_inside(browser, "#calibration .chart", "the reliability diagram")
    check(browser, "document.querySelectorAll('#calibration tbody tr').length === 2", "calibration before and after")
    check(browser, "/held out/.test(document.querySelector('#loss .keys').textContent) && document.querySelectorAll('#loss path').length === 3", "the held-out loss")
    check(browser, "/Kept is the state after step \\d+, with the best/.test(document.querySelector('#loss .note').textContent)", "the step that was kept")
    check(browser, "/a point of 32 dimensions.*Distances are those in all dimensions\\.$/.test(document.querySelector('#texts .note').textContent)", "what distances are")
    check_map(browser)
    check_player(browser, "#animation", "training")
    before = picture(browser, "#scatter")
    browser.click("#training .legend button")
    browser.click("#theme")
    browser.click("#theme")
    check(browser, "document.documentElement.dataset.theme === 'dark'", "the theme is dark")
    differs(browser, "#scatter", before, "the theme")
    shot("report")
    browser.open(report, 390, 844, dark=True, touch=True)
    check_width(browser, "phone")
    shot("phone")
    browser.open(boids)
    check_player(browser, "#flock", "the flock")
    shot("boids")
    browser.open(both)
    check(browser, "document.querySelectorAll('#runs tbody tr').length === 2", "two runs")
    browser.click("#runs tbody tr:nth-child(2)")
    check(browser, "document.querySelector('#title').textContent === data.runs[1].name", "the second run is opened")
    check(browser, "/a point of 64 dimensions.*means over those of 2 prompts.*less what the label words say/.test(document.querySelector('#texts .note').textContent)", "what its distances are")
    check_map(browser)
    check_width(browser, "two runs")
    shot("both")
    stroke = "document.querySelector('#comparison .chart path').getAttribute('stroke')"
    light = browser.run(stroke)
    browser.click("#theme")
    browser.click("#theme")
    check(browser, f"{stroke} !== {json.dumps(light)}", "the comparison above the run has the theme's colours")
    browser.open(unmeasured)
    check(browser, "document.querySelectorAll('#runs tbody tr').length === 2", "a run that was measured beside one that was not")
    check(browser, "/not measured: there were no validation texts/.test(document.querySelector('#verdict').textContent)", "nothing was measured")
    check(browser, "!document.querySelector('#run .confusion, #texts') && document.querySelectorAll('#run .chart path').length >= 2", "its curves alone")
    browser.mouse("mouseMoved", *browser.run(middle("#comparison .chart svg")))
    check(browser, "/^step \\d+: one \\d+ %$/.test(document.querySelector('#comparison .readout').textContent)", "a curve beside one without points is read")
    browser.click("#runs tbody tr:nth-child(2)")
    check(browser, "/held-out texts get the right class/.test(document.querySelector('#verdict').textContent)", "the other one")
    shot("unmeasured")
    browser.open(devices)
    check_devices(browser)
    shot("devices")
    browser.open(devices, 390, 844, dark=True, touch=True)
    check_width(browser, "devices on a phone")
    browser.open(curve)
    check(browser, "/from \\d+ to 40 texts/.test(document.querySelector('#verdict .sentence').textContent)", "what the curve answers")
    check(browser, "document.querySelectorAll('#sizes tbody tr').length === data.sizes.length", "a row a size")
    check(browser, "document.querySelectorAll('#curve .mean').length === data.sizes.length && document.querySelectorAll('#curve .interval').length === data.sizes.length", "a point and an interval a size")
    check(browser, "document.querySelectorAll('#curve .run').length === data.sizes.reduce((n, s) => n + s.runs.length, 0)", "a dot a run")
    check_inside(browser, "#curve", "the curve")
    browser.click("#theme")
    shot("curve")
    browser.open(curve, 390, 844, dark=True, touch=True)
    check_width(browser, "the curve on a phone")
    check_served(browser, served)
    shot("serve")
    browser.problems = [p for p in browser.problems if "status of 413" not in p]  # the refusal above
    browser.close()
    shutil.rmtree(profile, ignore_errors=True)
    if browser.problems:
        raise SystemExit("\n".join(browser.problems))
    print("all as expected")


main()
