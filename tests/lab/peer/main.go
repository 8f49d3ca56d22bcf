// A stand-in for nfs-subdir-external-provisioner 4.0.2 in the benchmark of peers: the same controller, of the library and the
// client that it is built with, with all settings at their defaults, as it has them. Here are a directory's name and creation.
package main

import (
	"context"
	"log"
	"os"
	"path/filepath"

	"k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v6/controller"
)

// directories is where the directories of volumes are made.
type directories string

func (d directories) Provision(_ context.Context, options controller.ProvisionOptions) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	claim := options.PVC
	name := claim.Namespace + "-" + claim.Name + "-" + options.PVName
	directory := filepath.Join(string(d), name)
	if err := os.MkdirAll(directory, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	if err := os.Chmod(directory, 0o777); err != nil {
		return nil, controller.ProvisioningFinished, err
	}
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: v1.PersistentVolumeSpec{
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: claim.Spec.Resources.Requests[v1.ResourceStorage]},
			PersistentVolumeSource: v1.PersistentVolumeSource{
				NFS: &v1.NFSVolumeSource{Server: "nfs", Path: "/nfsdata/" + name},
			},
		},
	}, controller.ProvisioningFinished, nil
}

// Delete is called for no volume: the benchmark's classes have the policy Retain.
func (directories) Delete(context.Context, *v1.PersistentVolume) error {
	return nil
}

// run serves the claims of a provisioner's name until the context ends.
func run(ctx context.Context, kubeconfig, name, directory string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	controller.NewProvisionController(client, name, directories(directory), version.GitVersion).Run(ctx)
	return nil
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: peer KUBECONFIG NAME DIRECTORY")
	}
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}
