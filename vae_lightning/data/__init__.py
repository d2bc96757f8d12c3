"""Datasets as LightningDataModules: images in memory, gathered into batches by index."""

from vae_lightning.data.arrays import ArrayDataModule
from vae_lightning.data.base import ImageDataModule
from vae_lightning.data.binarized_mnist import BinarizedMNISTDataModule
from vae_lightning.data.caltech_silhouettes import CaltechSilhouettesDataModule
from vae_lightning.data.cars3d import Cars3DDataModule
from vae_lightning.data.celeba import CelebADataModule
from vae_lightning.data.digits import DigitsDataModule
from vae_lightning.data.dsprites import DSpritesDataModule
from vae_lightning.data.factors import FactorDataModule
from vae_lightning.data.frey_faces import FreyFacesDataModule
from vae_lightning.data.image_folder import ImageFolderDataModule
from vae_lightning.data.in_memory import Batch, EpochSampler, InMemoryLoader
from vae_lightning.data.mpi3d import MPI3DDataModule
from vae_lightning.data.omniglot import OmniglotDataModule
from vae_lightning.data.shapes3d import Shapes3DDataModule
from vae_lightning.data.small_norb import SmallNORBDataModule
from vae_lightning.data.splits import stratified_split
from vae_lightning.data.sprites import SpritesDataModule
from vae_lightning.data.torchvision_sets import CIFAR10DataModule, FashionMNISTDataModule, MNISTDataModule

__all__ = [
    "ArrayDataModule",
    "Batch",
    "BinarizedMNISTDataModule",
    "CIFAR10DataModule",
    "CaltechSilhouettesDataModule",
    "Cars3DDataModule",
    "CelebADataModule",
    "DSpritesDataModule",
    "DigitsDataModule",
    "EpochSampler",
    "FactorDataModule",
    "FashionMNISTDataModule",
    "FreyFacesDataModule",
    "ImageDataModule",
    "ImageFolderDataModule",
    "InMemoryLoader",
    "MNISTDataModule",
    "MPI3DDataModule",
    "OmniglotDataModule",
    "Shapes3DDataModule",
    "SmallNORBDataModule",
    "SpritesDataModule",
    "stratified_split",
]
