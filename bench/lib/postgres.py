"""A PostgreSQL server of one's own: default durability, loopback, its own directory."""

import os
import pathlib
import pwd
import shutil

from world import run


class Postgres:
    def __init__(self, world):
        binaries = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))[-1]
        self.port = world.port()
        folder = world.folder / "postgres"
        folder.mkdir()
        as_user = []
        if os.getuid() == 0:
            # PostgreSQL refuses to run as root; the user comes with its package.
            account = pwd.getpwnam("postgres")
            os.chmod(world.folder, 0o755)
            os.chown(folder, account.pw_uid, account.pw_gid)
            as_user = ["setpriv", "--reuid", account.pw_uid, "--regid", account.pw_gid, "--clear-groups"]
        run([*as_user, binaries / "initdb", "-D", folder / "data", "-U", "ward", "--auth=trust", "-E", "UTF8"], cwd=folder)
        self.process = world.start("postgres", [*as_user, binaries / "postgres", "-D", folder / "data", "-p", self.port,
                                                "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"],
                                   self.port, cwd=folder)
        assert shutil.which("psql"), "the postgresql-client package is missing"
        run(["psql", "-h", "127.0.0.1", "-p", self.port, "-U", "ward", "-d", "postgres", "-c", "CREATE DATABASE ward"])
        self.url = f"postgres://ward@127.0.0.1:{self.port}/ward"
