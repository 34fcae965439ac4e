"""The lab: a small internet of network namespaces with real L2TP/IPsec clients in it. See lab/README.md."""
