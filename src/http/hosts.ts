/** The hosts that the network of a runner has to let through, in words. A key vault has a host of its own. */
export const HOSTS =
  'login.microsoftonline.com and graph.microsoft.com (in China login.partner.microsoftonline.cn and microsoftgraph.chinacloudapi.cn) and GitHub’s *.actions.githubusercontent.com';
