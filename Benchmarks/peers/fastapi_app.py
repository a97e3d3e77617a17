"""A back end as users write it: FastAPI and PyJWT. It does what the gin program beside it does, and records nothing."""

import os
import subprocess
from pathlib import Path

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse

SCRIPT = os.environ["SYNC_SCRIPT_PATH"]
LOCK = os.environ["SYNC_LOCK_PATH"]
LOG = os.environ["SYNC_LOG_PATH"]
SECRET = Path(os.environ["JWT_SECRET_FILE"]).read_bytes().removesuffix(b"\n")


async def check_token(authorization: str = Header("")):
    """Accepts HS256 only, and only tokens that expire."""
    try:
        return jwt.decode(authorization.removeprefix("Bearer "), SECRET, algorithms=["HS256"], options={"require": ["exp"]})
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Invalid token") from None


app = FastAPI(dependencies=[Depends(check_token)])


@app.get("/sync/status")
async def status():
    if os.path.exists(LOCK):
        return {"status": "running", "message": "Sync is currently running"}
    return {"status": "idle", "message": "No sync is currently running"}


# FastAPI calls these two on its thread pool, because they wait for a process.
@app.post("/sync/run")
def run():
    if os.path.exists(LOCK):
        return JSONResponse({"status": "running", "message": "Sync is already running. Please wait for it to complete."}, 409)
    done = subprocess.run([SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        message = f"Failed to execute sync script: exited with code {done.returncode}"
        return JSONResponse({"status": "error", "message": message, "output": done.stdout}, 500)
    return {"status": "success", "message": "Sync script executed successfully", "output": done.stdout}


@app.get("/sync/log")
def log():
    done = subprocess.run(["tail", "-n", "100", LOG], capture_output=True, text=True)
    if done.returncode != 0:
        return JSONResponse({"status": "error", "message": "Error reading log file"}, 500)
    return {"status": "success", "log": done.stdout}
