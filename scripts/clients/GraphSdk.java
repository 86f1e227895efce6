import com.azure.identity.ClientAssertionCredential;
import com.azure.identity.ClientAssertionCredentialBuilder;
import com.microsoft.graph.models.ClientCertificateAuthentication;
import com.microsoft.graph.serviceclient.GraphServiceClient;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The Java snippet of Microsoft's page about uploadClientCertificate, with what it leaves to the reader: the sign-in.
 *
 * @see <a href="https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate">the page</a>
 */
public class GraphSdk {
  public static void main(String[] arguments) throws Exception {
    ClientAssertionCredential credential =
        new ClientAssertionCredentialBuilder()
            .tenantId(System.getenv("TENANT_ID"))
            .clientId(System.getenv("CLIENT_ID"))
            .clientAssertion(() -> System.getenv("ID_TOKEN"))
            .build();
    GraphServiceClient graphClient = new GraphServiceClient(credential, "https://graph.microsoft.com/.default");

    com.microsoft.graph.identity.apiconnectors.item.uploadclientcertificate.UploadClientCertificatePostRequestBody
        uploadClientCertificatePostRequestBody =
            new com.microsoft.graph.identity.apiconnectors.item.uploadclientcertificate
                .UploadClientCertificatePostRequestBody();
    uploadClientCertificatePostRequestBody.setPkcs12Value(Files.readString(Path.of(System.getenv("PKCS12_FILE"))));
    uploadClientCertificatePostRequestBody.setPassword(System.getenv("PASSWORD"));
    var result =
        graphClient
            .identity()
            .apiConnectors()
            .byIdentityApiConnectorId(System.getenv("CONNECTOR_ID"))
            .uploadClientCertificate()
            .post(uploadClientCertificatePostRequestBody);

    var configuration = (ClientCertificateAuthentication) result.getAuthenticationConfiguration();
    configuration.getCertificateList().forEach((certificate) -> System.out.println(certificate.getThumbprint()));
    System.exit(0);
  }
}
