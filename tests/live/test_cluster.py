def test_it(cluster):
    print(cluster.kubectl("get","nodes,crd").stdout[:3000])
