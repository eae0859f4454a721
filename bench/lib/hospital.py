"""A Ward whose register holds devices, with an endpoint that enrols them and one password that lets all of them in."""

import json

from measure import Target
from ward import Ward
from world import run

ENDPOINT = "pumps"
# One table of an import; the import holds one in memory.
TABLE = 200_000


class Hospital(Ward):
    def __init__(self, world, binaries, devices, postgres=None, name="Ward", previous=None):
        super().__init__(world, binaries, postgres, name, serve=False)
        self.plain_port = world.port()
        with open(self.data / "ward.toml", "a") as configuration:
            configuration.write(f'\n[[listen.legacy]]\naddress = "127.0.0.1:{self.plain_port}"\n'
                                f'endpoints = ["{ENDPOINT}"]\nsegment = "devices"\n')
        self.ward("enrol", "endpoint", "create", ENDPOINT, "--profile", "device-ldevid", "--est", "--scep",
                  # They renew minutes after they have enrolled.
                  "renewal.from=0", *([f"renewal.previous={previous}"] if previous else []))
        self.login = "{id}:{secret}".format(**self.right("--http"))
        self.challenge = self.right("--otp")["secret"]
        self.register(world, devices)
        self.serve(world, name.lower().replace(" ", "-"), postgres)

    def ward(self, *arguments):
        return run([self.binary, *arguments, "--data", self.data])

    def right(self, credential):
        return json.loads(self.ward("enrol", "right", "create", "--any", "--uses", "100000000", "--endpoint", ENDPOINT, credential,
                                    "--json"))

    def register(self, world, devices):
        table = world.folder / "assets.csv"
        for begin in range(0, devices, TABLE):
            numbers = range(begin, min(begin + TABLE, devices))
            table.write_text("serial,manufacturer,model,kind\n" +
                             "".join(f"EB-{number:06},Bench Medical,Infusomat,device\n" for number in numbers))
            self.ward("asset", "import", table)

    def est(self):
        arguments = ["--protocol", "est", "--path", f"/.well-known/est/{ENDPOINT}", "--password", self.login, "--anchor", self.anchor]
        return Target(self.name, f"https://127.0.0.1:{self.port}", self.pids, arguments, generator="devicegen")

    def scep(self):
        arguments = ["--protocol", "scep", "--path", f"/scep/{ENDPOINT}", "--password", self.challenge]
        return Target(self.name, f"http://127.0.0.1:{self.plain_port}", self.pids, arguments, generator="devicegen")


class ScepServer:
    """micromdm's scepserver. An RSA-2048 authority that signs certificates and answers, files without fsync, no register and
    no log: one challenge for everybody."""

    name = "scepserver"

    def __init__(self, world):
        self.port = world.port()
        depot = world.folder / "scep-depot"
        run(["scepserver", "ca", "-init", "-depot", depot, "-keySize", "2048"], cwd=world.folder)
        self.process = world.start("scepserver", ["scepserver", "-depot", depot, "-http-addr", f"127.0.0.1:{self.port}",
                                                  "-challenge", "secret", "-allowrenew", "0"], self.port)

    def scep(self):
        arguments = ["--protocol", "scep", "--path", "/scep", "--password", "secret"]
        return Target(self.name, f"http://127.0.0.1:{self.port}", [self.process.pid], arguments, generator="devicegen")
