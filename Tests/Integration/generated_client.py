"""Generates a client from what a running controller says of itself, and uses it as a program would."""

import os
import subprocess
import sys
import tempfile

from controller import Controller, check, equal, finish

folder = tempfile.TemporaryDirectory(prefix="parva-generated-")
api = Controller(os.path.join(folder.name, "parva.sqlite"))
url = f"http://127.0.0.1:{api.port}"
try:
    with check("a client is generated, with a call for every operation"):
        told = subprocess.run(
            [os.environ["GENERATOR"], "generate", "--url", f"{url}/openapi.yaml", "--meta", "none", "--output-path",
             os.path.join(folder.name, "parva_client")],
            capture_output=True, text=True, timeout=120, cwd=folder.name)
        equal(told.returncode, 0, told.stdout + told.stderr)
        lost = [line for line in told.stdout.splitlines() if "will not be generated" in line or "Unable to process" in line]
        equal(lost, [])
    sys.path.insert(0, folder.name)
    from parva_client import Client
    from parva_client.api.plan import get_plan
    from parva_client.api.workloads import create_workload, delete_workload, get_workload, list_workloads, patch_workloads
    from parva_client.models import Problem, Workload

    with Client(base_url=url) as client:
        with check("it registers a workload, reads it and lists it"):
            body = Workload.from_dict({"id": "a", "model": "resnet50", "rate": 100, "slo": {"latencyMs": 205}})
            equal(create_workload.sync(client=client, body=body).id, "a")
            equal(get_workload.sync("a", client=client).rate, 100)
            equal([one.id for one in list_workloads.sync(client=client).workloads], ["a"])
        with check("it reads the plan as typed values"):
            plan = get_plan.sync(client=client)
            equal(plan.gpus[0].segments[0].workload, "a")
        with check("a refusal comes as a problem with its code and place"):
            problem = create_workload.sync(client=client, body=body)
            equal((type(problem), problem.code, problem.status), (Problem, "already_exists", 409))
        with check("it takes a workload away"):
            equal(delete_workload.sync_detailed("a", client=client).status_code, 204)
            equal(get_workload.sync("a", client=client).code, "not_found")
finally:
    api.stop()
finish()
