"""The Python snippet of Microsoft's page about uploadClientCertificate, with what it leaves to the reader: the sign-in.

https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate
"""

import asyncio
import os
from pathlib import Path

from azure.identity import ClientAssertionCredential
from msgraph import GraphServiceClient
from msgraph.generated.identity.api_connectors.item.upload_client_certificate.upload_client_certificate_post_request_body import (
    UploadClientCertificatePostRequestBody,
)


async def main() -> None:
    credential = ClientAssertionCredential(
        os.environ["TENANT_ID"], os.environ["CLIENT_ID"], lambda: os.environ["ID_TOKEN"]
    )
    graph_client = GraphServiceClient(credential, ["https://graph.microsoft.com/.default"])

    request_body = UploadClientCertificatePostRequestBody(
        pkcs12_value=Path(os.environ["PKCS12_FILE"]).read_text(),
        password=os.environ["PASSWORD"],
    )

    result = await graph_client.identity.api_connectors.by_identity_api_connector_id(
        os.environ["CONNECTOR_ID"]
    ).upload_client_certificate.post(request_body)
    for certificate in result.authentication_configuration.certificate_list:
        print(certificate.thumbprint)


asyncio.run(main())
