// The Go snippet of Microsoft's page about uploadClientCertificate, with what it leaves to the reader: the sign-in.
// https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	msgraphsdk "github.com/microsoftgraph/msgraph-sdk-go"
	graphidentity "github.com/microsoftgraph/msgraph-sdk-go/identity"
	graphmodels "github.com/microsoftgraph/msgraph-sdk-go/models"
)

func main() {
	assertion := func(context.Context) (string, error) { return os.Getenv("ID_TOKEN"), nil }
	credential, err := azidentity.NewClientAssertionCredential(os.Getenv("TENANT_ID"), os.Getenv("CLIENT_ID"), assertion, nil)
	check(err)
	graphClient, err := msgraphsdk.NewGraphServiceClientWithCredentials(credential, []string{"https://graph.microsoft.com/.default"})
	check(err)
	value, err := os.ReadFile(os.Getenv("PKCS12_FILE"))
	check(err)

	requestBody := graphidentity.NewApiConnectorsItemUploadClientCertificatePostRequestBody()
	pkcs12Value := string(value)
	requestBody.SetPkcs12Value(&pkcs12Value)
	password := os.Getenv("PASSWORD")
	requestBody.SetPassword(&password)

	connector := graphClient.Identity().ApiConnectors().ByIdentityApiConnectorId(os.Getenv("CONNECTOR_ID"))
	uploaded, err := connector.UploadClientCertificate().Post(context.Background(), requestBody, nil)
	check(err)
	configuration, ok := uploaded.GetAuthenticationConfiguration().(graphmodels.ClientCertificateAuthenticationable)
	if !ok {
		check(fmt.Errorf("the authentication is a %T", uploaded.GetAuthenticationConfiguration()))
	}
	for _, certificate := range configuration.GetCertificateList() {
		fmt.Println(*certificate.GetThumbprint())
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
