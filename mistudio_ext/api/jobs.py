"""Handlers of jobs."""

from __future__ import annotations

from mistudio_ext.api.handlers import Json, StudioHandler, allowed
from mistudio_ext.errors import InvalidInputError
from mistudio_ext.services.fields import only_known

#: Jobs that the list shows.
LISTED = 200


class JobsHandler(StudioHandler):
    """``jobs``."""

    @allowed("read")
    async def get(self) -> None:
        """Return the jobs, newest first."""
        jobs = (await self.studio()).jobs
        await self.reply(
            self.host.call(lambda: {"jobs": [jobs.view(j) for j in jobs.all(limit=LISTED)]})
        )


class JobHandler(StudioHandler):
    """``jobs/{id}``."""

    @allowed("read")
    async def get(self, job_id: str) -> None:
        """Return one job with its progress."""
        jobs = (await self.studio()).jobs
        await self.reply(self.host.call(lambda: jobs.view(jobs.get(job_id))))

    @allowed("execute")
    async def patch(self, job_id: str) -> None:
        """Change a job's priority."""
        jobs = (await self.studio()).jobs
        priority = self.body().get("priority")
        await self.reply(
            self.host.call(lambda: {"job": jobs.view(jobs.prioritise(job_id, priority))})
        )

    @allowed("write")
    async def delete(self, job_id: str) -> None:
        """Remove an ended job with its log."""
        jobs = (await self.studio()).jobs
        await self.reply(self.host.call(lambda: jobs.forget(job_id)))


class LogHandler(StudioHandler):
    """``jobs/{id}/log``."""

    @allowed("read")
    async def get(self, job_id: str) -> None:
        """Return the last lines of the job's log, or what was added since an offset."""
        jobs = (await self.studio()).jobs
        lines = max(1, min(self.integer("tail", 200) or 200, 10_000))
        offset = self.integer("offset")

        def read() -> Json:
            folder = jobs.folder(jobs.get(job_id).id)
            if offset is None:
                # First, so that what is added in between comes twice rather than never.
                end = folder.log_bytes()
                text, truncated = folder.log_tail(lines)
                return {"text": text, "truncated": truncated, "next_offset": end}
            text, start, after = folder.log_from(offset)
            return {"text": text, "truncated": start != offset, "next_offset": after}

        await self.reply(self.host.call(read))


class CancelHandler(StudioHandler):
    """``jobs/{id}/cancel``."""

    @allowed("execute")
    async def post(self, job_id: str) -> None:
        """Cancel a queued or running job."""
        jobs = (await self.studio()).jobs
        await self.reply(self.host.call(lambda: {"job": jobs.view(jobs.cancel(job_id))}))


class RetryHandler(StudioHandler):
    """``jobs/{id}/retry``."""

    @allowed("execute")
    async def post(self, job_id: str) -> None:
        """Queue an ended job again, as it was asked for or with changes."""
        jobs = (await self.studio()).jobs
        body = self.body()
        only_known(body, "token", "change")
        token, change = body.get("token"), body.get("change") or {}
        if not isinstance(change, dict):
            raise InvalidInputError("change must be an object.", code="bad_change", field="change")
        secrets = {"HF_TOKEN": token} if isinstance(token, str) and token else None
        await self.reply(
            self.host.call(lambda: {"job": jobs.view(jobs.retry(job_id, secrets, change))}), 202
        )
