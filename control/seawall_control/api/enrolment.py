"""EnrolmentService: decode, call the use case, encode."""

from __future__ import annotations

from seawall.v1 import enrolment_pb2 as pb
from seawall.v1 import enrolment_pb2_grpc
from seawall_control.api import codec
from seawall_control.api.caller import current
from seawall_control.api.errors import Context, answered
from seawall_control.domain.access import Caller
from seawall_control.domain.errors import PreconditionFailed, Unauthenticated
from seawall_control.services.enrolment import EnrolmentService


def _caller() -> Caller:
    call = current()
    if call is None:
        raise Unauthenticated("nobody knows who calls")
    return call.caller


class EnrolmentServicer(enrolment_pb2_grpc.EnrolmentServiceServicer):
    """seawall.v1.EnrolmentService."""

    def __init__(self, enrolment: EnrolmentService) -> None:
        self._enrolment = enrolment

    async def Enrol(self, request: pb.EnrolRequest, context: Context) -> pb.EnrolResponse:
        """Turn an enrolment token into a certificate."""

        async def work() -> pb.EnrolResponse:
            found = await self._enrolment.enrol(_caller(), request.csr)
            return pb.EnrolResponse(
                certificate=found.issued.pem,
                authority=found.authority,
                expire_time=codec.optional_time(found.issued.expires_us),
            )

        return await answered(context, work())

    async def Renew(self, request: pb.RenewRequest, context: Context) -> pb.RenewResponse:
        """Issue the next certificate."""

        async def work() -> pb.RenewResponse:
            found = await self._enrolment.renew(_caller(), request.csr, confirms=request.confirms)
            return pb.RenewResponse(
                certificate=found.issued.pem,
                authority=found.authority,
                expire_time=codec.optional_time(found.issued.expires_us),
            )

        return await answered(context, work())

    async def ConfirmCertificate(
        self, request: pb.ConfirmCertificateRequest, context: Context
    ) -> pb.ConfirmCertificateResponse:
        """Note that the certificate that is shown is kept."""

        async def work() -> pb.ConfirmCertificateResponse:
            caller = _caller()
            if caller.kind != "certificate":
                raise PreconditionFailed("a certificate is confirmed on a connection that shows it")
            await self._enrolment.confirm(caller.node, caller.credential)
            return pb.ConfirmCertificateResponse()

        return await answered(context, work())
